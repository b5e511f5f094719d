"""Second factors, links that work once, identities, limits; what people and the policy were; an emptied log."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("people") as people:
        people.add_column(sa.Column("second_factor", sa.String(length=255), server_default="", nullable=False))
        people.add_column(sa.Column("second_factor_step", sa.Integer(), server_default="0", nullable=False))
        people.add_column(sa.Column("second_factor_since", sa.String(length=32), nullable=True))
        people.add_column(sa.Column("recovery_codes", sa.JSON(), server_default="[]", nullable=False))
        people.add_column(sa.Column("erased_at", sa.String(length=32), nullable=True))
    with op.batch_alter_table("sessions") as sessions:
        sessions.add_column(sa.Column("method", sa.String(length=16), server_default="password", nullable=False))
        sessions.add_column(sa.Column("proven_at", sa.String(length=32), nullable=True))
    with op.batch_alter_table("audit_events") as events:
        events.add_column(sa.Column("salt", sa.String(length=32), server_default="", nullable=False))
        events.add_column(sa.Column("content", sa.String(length=64), server_default="", nullable=False))
        events.add_column(sa.Column("emptied_at", sa.String(length=32), nullable=True))
    with op.batch_alter_table("audit_seals") as seals:
        seals.add_column(sa.Column("form", sa.Integer(), server_default="1", nullable=False))
    _signing_in()
    _looking_back()


def _signing_in() -> None:
    op.create_table(
        "identities",
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("linked_at", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"]),
        sa.PrimaryKeyConstraint("issuer", "subject"),
    )
    op.create_index("ix_identities_person_id", "identities", ["person_id"])
    op.create_table(
        "tickets",
        sa.Column("id_hash", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("ends_at", sa.String(length=32), nullable=False),
        sa.Column("used_at", sa.String(length=32), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"]),
        sa.PrimaryKeyConstraint("id_hash"),
    )
    op.create_index("ix_tickets_person_id", "tickets", ["person_id"])
    op.create_table(
        "usage_counts",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("begins_at", sa.String(length=32), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )


def _looking_back() -> None:
    op.create_table(
        "person_states",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_person_states_person_id", "person_states", ["person_id"])
    op.execute(
        "insert into person_states (person_id, at, role, attributes, active) "
        "select id, created_at, role, attributes, active from people"
    )
    op.create_table(
        "policy_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_policy_versions_digest", "policy_versions", ["digest"])
    op.create_table(
        "access_reviews",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("reviewer_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"]),
        sa.ForeignKeyConstraint(["reviewer_id"], ["people.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_access_reviews_person_id", "access_reviews", ["person_id"])


def downgrade() -> None:
    for table in ("access_reviews", "policy_versions", "person_states", "usage_counts", "tickets", "identities"):
        op.drop_table(table)
    columns = {
        "audit_seals": ("form",),
        "audit_events": ("emptied_at", "content", "salt"),
        "sessions": ("proven_at", "method"),
        "people": ("erased_at", "recovery_codes", "second_factor_since", "second_factor_step", "second_factor"),
    }
    for table, gone in columns.items():
        with op.batch_alter_table(table) as batch_op:
            for column in gone:
                batch_op.drop_column(column)
