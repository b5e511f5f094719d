"""The second workspace on the screens: other words, keys, money and rules, and not a line of Python for it."""

import pytest


@pytest.mark.parametrize("who", ["leitung", "aussendienst", "tueftlerei", "hauswart"])
def test_everybody_of_the_bakery_can_sign_in(bakery, who):
    client = bakery.sign_in(who)
    assert client.document("/").status_code in (200, 302)
    assert bakery.sources.workspace.access.roles[who.partition(":")[0]].label in bakery.words(client, "/account")
