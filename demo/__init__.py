"""The demo workspace: its definitions, and the script that builds its lake and registers its models.

May import anything of ours; nothing of ours imports it, except the operator's door.
"""
