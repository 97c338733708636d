"""Two-person approvals; merged patients and moved studies."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables; films learn whose they are now."""
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("requester", sa.String(), nullable=False),
        sa.Column("requested_ms", sa.BigInteger(), nullable=False),
        sa.Column("requested_index", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("claim", sa.String(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("decided_ms", sa.BigInteger(), nullable=True),
        sa.Column("decided_index", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=True),
        sa.Column("uses", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_approvals_state", "approvals", ["state", "requested_ms"], unique=False)
    op.create_table(
        "patient_aliases",
        sa.Column("old", sa.String(), nullable=False),
        sa.Column("onto", sa.String(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ledger_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("old"),
    )
    op.create_index("ix_patient_aliases_onto", "patient_aliases", ["onto"], unique=False)
    op.create_table(
        "study_moves",
        sa.Column("study_instance", sa.String(), nullable=False),
        sa.Column("was", sa.String(), nullable=False),
        sa.Column("patient", sa.String(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ledger_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("study_instance"),
    )
    with op.batch_alter_table("films") as films:
        films.add_column(sa.Column("sent_as", sa.String(), nullable=False, server_default=""))
        films.add_column(sa.Column("sent_days", sa.Integer(), nullable=False, server_default="0"))
        films.add_column(sa.Column("shift_days", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE films SET sent_as = patient")


def downgrade() -> None:
    """Remove them."""
    with op.batch_alter_table("films") as films:
        films.drop_column("shift_days")
        films.drop_column("sent_days")
        films.drop_column("sent_as")
    op.drop_table("study_moves")
    op.drop_index("ix_patient_aliases_onto", table_name="patient_aliases")
    op.drop_table("patient_aliases")
    op.drop_index("ix_approvals_state", table_name="approvals")
    op.drop_table("approvals")
