"""An administrator may look through the eyes of another person for a while."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("sessions") as batch_op:
        batch_op.add_column(sa.Column("seen_as_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key("fk_sessions_seen_as_id", "people", ["seen_as_id"], ["id"])


def downgrade() -> None:
    with op.batch_alter_table("sessions") as batch_op:
        batch_op.drop_constraint("fk_sessions_seen_as_id", type_="foreignkey")
        batch_op.drop_column("seen_as_id")
