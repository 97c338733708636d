"""Which key a row is under, and the messages that were taken."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the key's id to both tables; create the table of messages."""
    for name in ("vault_links", "vault_relinks"):
        with op.batch_alter_table(name) as table:
            table.add_column(sa.Column("key", sa.String(), nullable=False, server_default=""))
            table.create_index(f"ix_{name}_key", ["key"])
    op.create_table(
        "vault_messages",
        sa.Column("place", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("key", sa.String(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("place"),
    )
    op.create_index("ix_vault_messages_key", "vault_messages", ["key"], unique=False)


def downgrade() -> None:
    """Remove them."""
    op.drop_table("vault_messages")
    for name in ("vault_relinks", "vault_links"):
        with op.batch_alter_table(name) as table:
            table.drop_index(f"ix_{name}_key")
            table.drop_column("key")
