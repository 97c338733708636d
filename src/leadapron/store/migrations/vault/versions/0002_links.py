"""The vault's links and relinks."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables."""
    for name in ("vault_links", "vault_relinks"):
        op.create_table(
            name,
            sa.Column("place", sa.LargeBinary(), nullable=False),
            sa.Column("sealed", sa.LargeBinary(), nullable=False),
            sa.PrimaryKeyConstraint("place"),
        )


def downgrade() -> None:
    """Remove both tables."""
    op.drop_table("vault_relinks")
    op.drop_table("vault_links")
