"""The first tables: films, recipients and orders, views, cases, accounts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of archive, policy, delivery, incident and app."""
    op.create_table(
        "breakers",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope"),
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("title_en", sa.String(), nullable=False),
        sa.Column("title_zh", sa.String(), nullable=False),
        sa.Column("opened_ms", sa.BigInteger(), nullable=False),
        sa.Column("closed_ms", sa.BigInteger(), nullable=True),
        sa.Column("closing_note", sa.String(), nullable=False),
        sa.Column("persons", sa.BigInteger(), nullable=False),
        sa.Column("sensitivity", sa.String(), nullable=False),
        sa.Column("insider", sa.Boolean(), nullable=False),
        sa.Column("sop_instance", sa.String(), nullable=True),
        sa.Column("view_id", sa.String(), nullable=True),
        sa.Column("recipient", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_cases_opened", "cases", ["opened_ms"], unique=False)
    op.create_table(
        "films",
        sa.Column("sop_instance", sa.String(), nullable=False),
        sa.Column("sop_class", sa.String(), nullable=False),
        sa.Column("study_instance", sa.String(), nullable=False),
        sa.Column("series_instance", sa.String(), nullable=False),
        sa.Column("patient", sa.String(), nullable=False),
        sa.Column("accession", sa.String(), nullable=False),
        sa.Column("modality", sa.String(), nullable=False),
        sa.Column("study_date", sa.String(), nullable=False),
        sa.Column("study_description", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("columns", sa.Integer(), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("transfer_syntax", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("source_digest", sa.String(), nullable=False),
        sa.Column("blob", sa.String(), nullable=False),
        sa.Column("tier", sa.String(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sop_instance"),
    )
    op.create_index("ix_films_accession", "films", ["accession"], unique=False)
    op.create_index("ix_films_patient", "films", ["patient"], unique=False)
    op.create_index("ix_films_study", "films", ["study_instance"], unique=False)
    op.create_table(
        "orders",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("patient", sa.String(), nullable=False),
        sa.Column("accession", sa.String(), nullable=False),
        sa.Column("study", sa.String(), nullable=False),
        sa.Column("need", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("valid_from_ms", sa.BigInteger(), nullable=False),
        sa.Column("valid_until_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_orders_accession", "orders", ["accession"], unique=False)
    op.create_index("ix_orders_patient", "orders", ["patient"], unique=False)
    op.create_index("ix_orders_study", "orders", ["study"], unique=False)
    op.create_table(
        "recipients",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("department", sa.String(), nullable=False),
        sa.Column("display", sa.String(), nullable=False),
        sa.Column("ae_title", sa.String(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("ae_title"),
    )
    op.create_table(
        "revocations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind", "target", name="uq_revocations_target"),
    )
    op.create_table(
        "tokens",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("csrf", sa.String(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "users",
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("user"),
    )
    op.create_table(
        "views",
        sa.Column("view_id", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("sop_instance", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("regions", sa.String(), nullable=False),
        sa.Column("background", sa.String(), nullable=False),
        sa.Column("psnr_db", sa.Double(), nullable=False),
        sa.Column("key_digest", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("first_ledger_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("view_id"),
    )
    op.create_index("ix_views_sop", "views", ["sop_instance"], unique=False)
    op.create_table(
        "case_steps",
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("en", sa.String(), nullable=False),
        sa.Column("zh", sa.String(), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("done_ms", sa.BigInteger(), nullable=True),
        sa.Column("done_by", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("case_id", "code"),
    )
    op.create_table(
        "order_recipients",
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("order_id", "recipient"),
    )
    op.create_index(
        "ix_order_recipients_recipient", "order_recipients", ["recipient"], unique=False
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_index("ix_order_recipients_recipient", table_name="order_recipients")
    op.drop_table("order_recipients")
    op.drop_table("case_steps")
    op.drop_index("ix_views_sop", table_name="views")
    op.drop_table("views")
    op.drop_table("users")
    op.drop_table("tokens")
    op.drop_table("revocations")
    op.drop_table("recipients")
    op.drop_index("ix_orders_study", table_name="orders")
    op.drop_index("ix_orders_patient", table_name="orders")
    op.drop_index("ix_orders_accession", table_name="orders")
    op.drop_table("orders")
    op.drop_index("ix_films_study", table_name="films")
    op.drop_index("ix_films_patient", table_name="films")
    op.drop_index("ix_films_accession", table_name="films")
    op.drop_table("films")
    op.drop_index("ix_cases_opened", table_name="cases")
    op.drop_table("cases")
    op.drop_table("breakers")
