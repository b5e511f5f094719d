"""Settings: one table, every mistake at once, nothing secret shown, nothing opened."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.settings import (
    DEMO_WORKSPACE,
    ROOT,
    SETTINGS,
    Settings,
    SettingsMistakes,
    secret_key,
    settings_table_markdown,
)

STRONG = "kf83-Qw!z0_pLm2#rT7vXb9@cN4e-hJ6"


def test_without_a_variable_everything_is_at_its_default():
    read = Settings.from_env({"HOME": "/home/x", "PATH": "/bin"})
    assert read == Settings(
        instance=ROOT / "instance",
        workspace=DEMO_WORKSPACE,
        lake=ROOT / "instance" / "lake" / "raw",
        registry=f"sqlite:///{ROOT / 'instance' / 'registry' / 'mlflow.db'}",
        database=f"sqlite:///{ROOT / 'instance' / 'app.db'}",
        audit_anchor=ROOT / "instance" / "audit.anchor",
        demo=True,
    )
    assert (read.host, read.port) == ("127.0.0.1", 8050)


def test_an_instance_elsewhere_moves_what_lies_in_it():
    read = Settings.from_env({"LAKELIGHT_INSTANCE": "/srv/lakelight", "LAKELIGHT_WORKSPACE": "/etc/lakelight"})
    assert read.published == Path("/srv/lakelight/lake/published") and read.artefacts == Path(
        "/srv/lakelight/artefacts"
    )
    assert read.database == "sqlite:////srv/lakelight/app.db"
    assert read.demo is False, "only the demo workspace offers demo accounts by itself"


@pytest.mark.parametrize("said", ["yes", "YES", " on ", "1", "true"])
def test_yes_in_several_words(said):
    assert Settings.from_env({"LAKELIGHT_HTTPS": said}).https is True
    assert Settings.from_env({"LAKELIGHT_HTTPS": "no", "LAKELIGHT_DEMO": "off"}).https is False


def test_port_is_heard_and_the_longer_name_wins():
    assert Settings.from_env({"PORT": "9000"}).port == 9000
    assert Settings.from_env({"PORT": "9000", "LAKELIGHT_PORT": "9001"}).port == 9001
    assert Settings.from_env({"PORT": "  "}).port == 8050


@pytest.mark.attack("K-06", "K-01")
@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LAKELIGHT_PROT", "1", "LAKELIGHT_PROT is not a setting. Did you mean LAKELIGHT_PORT?"),
        ("LAKELIGHT_WORKSPCE", "x", "LAKELIGHT_WORKSPCE is not a setting. Did you mean LAKELIGHT_WORKSPACE?"),
        ("LAKELIGHT_PORT", "eighty", "LAKELIGHT_PORT must be a whole number above 0, got 'eighty'."),
        ("LAKELIGHT_PORT", "0", "LAKELIGHT_PORT must be a whole number above 0, got '0'."),
        ("LAKELIGHT_PORT", "-1", "LAKELIGHT_PORT must be a whole number above 0, got '-1'."),
        ("LAKELIGHT_PORT", "80 50", "LAKELIGHT_PORT must be a whole number above 0, got '80 50'."),
        ("LAKELIGHT_PORT", "70000", "LAKELIGHT_PORT must be at most 65535, got '70000'."),
        ("LAKELIGHT_WEB_THREADS", "²", "LAKELIGHT_WEB_THREADS must be a whole number above 0, got '²'."),
        ("LAKELIGHT_HTTPS", "maybe", "LAKELIGHT_HTTPS must be yes or no, got 'maybe'."),
        ("LAKELIGHT_SECRET_KEY", "short", "LAKELIGHT_SECRET_KEY must be at least 32 characters that nobody can guess."),
        (
            "LAKELIGHT_PUBLIC_URL",
            "lakelight.example",
            "LAKELIGHT_PUBLIC_URL must be an address like https://lakelight.example, got 'lakelight.example'.",
        ),
        (
            "LAKELIGHT_PUBLIC_URL",
            "https://lakelight.example/app",
            "LAKELIGHT_PUBLIC_URL must name no folder, got 'https://lakelight.example/app'.",
        ),
        (
            "LAKELIGHT_PUBLIC_URL",
            "https://known@evil.example",
            "LAKELIGHT_PUBLIC_URL must be an address like https://lakelight.example, got 'https://known@evil.example'.",
        ),
        (
            "LAKELIGHT_SECRET_KEY",
            "a" * 40,
            "LAKELIGHT_SECRET_KEY must be at least 32 characters that nobody can guess.",
        ),
    ],
)
def test_a_wrong_setting_is_refused_in_a_sentence(name, value, sentence):
    with pytest.raises(SettingsMistakes) as told:
        Settings.from_env({name: value})
    assert str(told.value).splitlines() == ["The settings cannot be used:", f"  {sentence}"]


@pytest.mark.attack("K-06", "K-01")
def test_all_wrong_settings_are_told_at_once_and_a_secret_never():
    with pytest.raises(SettingsMistakes) as told:
        Settings.from_env({"LAKELIGHT_PROT": "1", "LAKELIGHT_HTTPS": "hm", "LAKELIGHT_SECRET_KEY": "hunter2hunter2"})
    assert len(str(told.value).splitlines()) == 4
    assert "hunter2" not in str(told.value)


def test_a_secret_does_not_show_itself():
    read = Settings.from_env({"LAKELIGHT_SECRET_KEY": STRONG})
    assert read.secret_key == STRONG
    assert STRONG not in repr(read) and STRONG not in str(read)


def test_a_key_is_made_once_and_kept_for_the_owner_only(tmp_path):
    settings = Settings.from_env({"LAKELIGHT_INSTANCE": str(tmp_path / "new")})
    assert not (tmp_path / "new").exists(), "reading the settings opens nothing"
    first = secret_key(settings)
    assert len(first) >= 32 and secret_key(settings) == first
    assert stat.S_IMODE((tmp_path / "new" / "secret.key").stat().st_mode) == 0o600
    assert secret_key(Settings.from_env({"LAKELIGHT_SECRET_KEY": STRONG})) == STRONG


def test_an_instance_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    settings = Settings.from_env({"LAKELIGHT_INSTANCE": str(tmp_path / "file")})
    with pytest.raises(SettingsMistakes, match=r"must be a folder that can be written to\. Set LAKELIGHT_INSTANCE"):
        secret_key(settings)


@pytest.mark.parametrize(
    ("host", "inside"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)]
)
def test_what_counts_as_this_machine_only(host, inside):
    assert Settings.from_env({"LAKELIGHT_HOST": host}).loopback is inside


def test_every_field_stands_in_the_table_and_every_line_of_it_is_a_field():
    assert {s.name for s in SETTINGS} == set(Settings.__dataclass_fields__)
    assert all(s.variable in settings_table_markdown() and s.sentence.endswith(".") for s in SETTINGS)


def test_processes_that_start_together_get_the_same_key(tmp_path):
    settings = Settings.from_env({"LAKELIGHT_INSTANCE": str(tmp_path)})
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: secret_key(settings), range(32)))
    assert len(found) == 1 and [p.name for p in tmp_path.iterdir()] == ["secret.key"]


def test_a_damaged_key_is_a_sentence_not_a_weak_key(tmp_path):
    (tmp_path / "secret.key").write_text("")
    with pytest.raises(SettingsMistakes, match=r"must hold at least 32 characters\. Remove it"):
        secret_key(Settings.from_env({"LAKELIGHT_INSTANCE": str(tmp_path)}))


PROVIDER = {
    "LAKELIGHT_OIDC_ISSUER": "https://id.company.example/realms/all",
    "LAKELIGHT_OIDC_CLIENT_ID": "lakelight",
    "LAKELIGHT_OIDC_CLIENT_SECRET": "given-by-them",
}


def test_an_identity_provider_is_three_settings_and_its_secret_is_never_shown():
    read = Settings.from_env(PROVIDER)
    assert (read.oidc_issuer, read.oidc_client_id) == ("https://id.company.example/realms/all", "lakelight")
    assert read.oidc_client_secret == "given-by-them" and "given-by-them" not in repr(read)
    assert (read.oidc_groups_claim, read.passwords) == ("groups", True)
    assert Settings.from_env({**PROVIDER, "LAKELIGHT_PASSWORDS": "no"}).passwords is False


@pytest.mark.parametrize("left_out", sorted(PROVIDER))
def test_a_part_of_an_identity_provider_is_refused(left_out):
    with pytest.raises(SettingsMistakes, match=f"{left_out} must be set too"):
        Settings.from_env({k: v for k, v in PROVIDER.items() if k != left_out})


def test_passwords_stay_on_where_nothing_else_lets_people_in():
    with pytest.raises(SettingsMistakes, match="nobody could sign in"):
        Settings.from_env({"LAKELIGHT_PASSWORDS": "no"})


@pytest.mark.attack("M-08")
@pytest.mark.parametrize(
    "issuer",
    ["http://id.company.example", "file:///etc/passwd", "https://", "https://a@b.example", "https://id.example?x=1",
     "https://id.example#x", "//id.example", "https://id.example\\@evil.example", "https://id.example:99999", "ldap://x"],
)  # fmt: skip
def test_an_issuer_is_an_https_address_and_nothing_else(issuer):
    with pytest.raises(SettingsMistakes, match="LAKELIGHT_OIDC_ISSUER must"):
        Settings.from_env({**PROVIDER, "LAKELIGHT_OIDC_ISSUER": issuer})


def test_a_provider_on_this_machine_may_speak_http():
    assert Settings.from_env({**PROVIDER, "LAKELIGHT_OIDC_ISSUER": "http://127.0.0.1:9"}).oidc_issuer


def test_the_address_people_type_is_the_host_and_port_unless_it_is_said():
    assert Settings.from_env({"PORT": "9000"}).public_address == "http://127.0.0.1:9000"
    assert Settings.from_env({"LAKELIGHT_HOST": "::"}).public_address == "http://127.0.0.1:8050"
    assert Settings.from_env({"LAKELIGHT_HOST": "::1"}).public_address == "http://[::1]:8050"
    said = Settings.from_env({"LAKELIGHT_PUBLIC_URL": "https://lakelight.example/"})
    assert said.public_address == "https://lakelight.example"
