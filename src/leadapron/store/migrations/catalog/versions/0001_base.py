"""The empty catalog schema that later revisions build on."""

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create nothing: the version table itself marks an initialised database."""


def downgrade() -> None:
    """Remove nothing."""
