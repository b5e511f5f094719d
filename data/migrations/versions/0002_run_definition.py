"""A score run remembers which definition of ``models.yml`` it was made with."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("score_runs") as batch_op:
        batch_op.add_column(sa.Column("definition", sa.String(length=64), nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("score_runs") as batch_op:
        batch_op.drop_column("definition")
