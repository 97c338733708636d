"""Traces that wait for a second person, and what the rate limit counts."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of traces."""
    op.create_table(
        "traces",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=True),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("copy_sha256", sa.String(), nullable=False),
        sa.Column("copy_size", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("ranking", sa.String(), nullable=False),
        sa.Column("ledger_index", sa.BigInteger(), nullable=False),
        sa.Column("elapsed_ms", sa.BigInteger(), nullable=False),
        sa.Column("approval_id", sa.String(), nullable=False),
        sa.Column("confirmed_index", sa.BigInteger(), nullable=True),
        sa.Column("contained_ms", sa.BigInteger(), nullable=True),
        sa.Column("contained_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_traces_case", "traces", ["case_id"], unique=False)
    op.create_index("ix_traces_at", "traces", ["at_ms"], unique=False)
    op.create_table(
        "trace_spending",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("pictures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_trace_spending_at", "trace_spending", ["at_ms"], unique=False)


def downgrade() -> None:
    """Drop them."""
    op.drop_table("trace_spending")
    op.drop_table("traces")
