"""A version of a model remembers the digest of its registered files and what it was tried with."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("catalogue") as batch_op:
        batch_op.add_column(sa.Column("files", sa.String(length=64), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("tried", sa.String(length=64), nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("catalogue") as batch_op:
        batch_op.drop_column("tried")
        batch_op.drop_column("files")
