"""What an identity provider says: literal tokens, each wrong in one way, and what access.yml makes of the rest."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwk, jws
from joserfc.errors import SecurityWarning

from data.definitions import AccessFile
from services import oidc_claims
from services.oidc_claims import Expected, UnknownKey, Untrusted

AT = datetime(2024, 12, 2, 8, 0, tzinfo=UTC)
ISSUER, CLIENT, NONCE = "https://id.company.example", "lakelight", "n-0S6_WzA2Mj"
EXPECTED = Expected(ISSUER, CLIENT, NONCE, AT)
PAIRS = {
    "RS256": jwk.RSAKey.generate_key(2048, {"kid": "rsa"}),
    "PS256": jwk.RSAKey.generate_key(2048, {"kid": "pss"}),
    "ES256": jwk.ECKey.generate_key("P-256", {"kid": "ec"}),
    "EdDSA": jwk.OKPKey.generate_key("Ed25519", {"kid": "ed"}),
}
KEYS = oidc_claims.read_keys({"keys": [k.as_dict(private=False) for k in PAIRS.values()]})


class Any_(jws.JWSRegistry):
    """Signs with whatever is asked, as a hostile provider does."""

    def get_alg(self, name):
        return self.algorithms[name]


def claims(**others):
    """A right token's claims, with others in their place; None leaves one out."""
    now = int(AT.timestamp())
    said = {"iss": ISSUER, "sub": "248289761001", "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": NONCE, **others}
    return {k: v for k, v in said.items() if v is not None}


def signed(said, alg="RS256", key=None, **header):
    key = key or PAIRS[alg]
    full = {"alg": alg, "kid": getattr(key, "kid", None), **header}
    full = {k: v for k, v in full.items() if v is not None}
    return jws.serialize_compact(full, json.dumps(said), key, registry=Any_(strict_check_header=False))


def part(said):
    return base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("alg", sorted(PAIRS))
def test_a_right_token_is_believed(alg):
    found = oidc_claims.read_id_token(signed(claims(), alg), KEYS, EXPECTED)
    assert found.subject == "248289761001" and found.proven_at is None


@pytest.mark.attack("A-16")
@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"iss": "https://id.evil.example"}, "iss"),
        ({"iss": ISSUER + "/"}, "iss"),
        ({"iss": None}, "iss"),
        ({"aud": "another"}, "aud"),
        ({"aud": ["another", "third"]}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": [CLIENT, "another"]}, "azp"),
        ({"aud": [CLIENT, "another"], "azp": "another"}, "azp"),
        ({"azp": "another"}, "azp"),
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"nonce": None, "nonce_supported": False}, "nonce"),
        ({"nonce": ["n-0S6_WzA2Mj"]}, "nonce"),
        ({"exp": None}, "exp"),
        ({"iat": None}, "iat"),
        ({"exp": "2999-01-01"}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": 1e400}, "exp"),
        ({"exp": int(AT.timestamp()) - 61}, "exp"),
        ({"iat": int(AT.timestamp()) + 61}, "iat"),
        ({"nbf": int(AT.timestamp()) + 61}, "nbf"),
        ({"auth_time": int(AT.timestamp()) + 61}, "future"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": 7}, "sub"),
        ({"sub": "x" * 256}, "sub"),
        ({"sub": "a\x00b"}, "sub"),
        ({"amr": "pwd"}, "amr"),
    ],
    ids=str,
)
def test_a_token_that_is_wrong_in_one_way_is_not_believed(wrong, why):
    with pytest.raises(Untrusted):
        oidc_claims.read_id_token(signed(claims(**wrong)), KEYS, EXPECTED)
    assert oidc_claims.read_id_token(signed(claims()), KEYS, EXPECTED), f"only {why} was wrong"


@pytest.mark.attack("A-16")
@pytest.mark.parametrize("seconds", [-59, 0, 59])
def test_clocks_may_differ_by_a_minute(seconds):
    now = int(AT.timestamp())
    for shifted in ({"exp": now - 59}, {"iat": now + seconds}, {"nbf": now + seconds}):
        assert oidc_claims.read_id_token(signed(claims(**shifted)), KEYS, EXPECTED)


def test_several_audiences_are_right_where_this_application_asked():
    assert oidc_claims.read_id_token(signed(claims(aud=[CLIENT, "x"], azp=CLIENT)), KEYS, EXPECTED)


@pytest.mark.attack("A-16")
def test_no_signature_and_no_shared_secret_is_accepted():
    public = PAIRS["RS256"].as_pem(private=False)
    said = f"{part({'alg': 'HS256', 'kid': 'rsa'})}.{part(claims())}"
    mac = hmac.new(public, said.encode(), hashlib.sha256).digest()
    hs256 = f"{said}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    own = jwk.OctKey.import_key("the secret of the client, known to both sides")
    none = f"{part({'alg': 'none'})}.{part(claims())}."
    for text in (
        hs256,
        signed(claims(), "HS256", own),
        none,
        none.replace(part({"alg": "none"}), part({"alg": "nOnE", "kid": "rsa"})),
        f"{part({'alg': 'none'})}.{part(claims())}.{hs256.split('.')[2]}",
        f"{part({'kid': 'rsa'})}.{part(claims())}.x",
        f"{part({'alg': ['RS256'], 'kid': 'rsa'})}.{part(claims())}.x",
    ):
        with pytest.raises(Untrusted):
            oidc_claims.read_id_token(text, KEYS, EXPECTED)


def test_a_key_serves_its_own_algorithm_only():
    fixed = oidc_claims.read_keys({"keys": [{**PAIRS["RS256"].as_dict(private=False), "alg": "RS256"}]})
    with pytest.raises(UnknownKey):
        oidc_claims.read_id_token(signed(claims(), "PS256", PAIRS["RS256"]), fixed, EXPECTED)
    with pytest.raises(UnknownKey):
        oidc_claims.read_id_token(signed(claims(), "ES256", kid="rsa"), KEYS, EXPECTED)


def test_a_strangers_key_is_unknown_and_a_stolen_name_does_not_fit():
    stranger = jwk.RSAKey.generate_key(2048, {"kid": "stranger"})
    with pytest.raises(UnknownKey):
        oidc_claims.read_id_token(signed(claims(), key=stranger), KEYS, EXPECTED)
    with pytest.raises(Untrusted) as told:
        oidc_claims.read_id_token(signed(claims(), key=stranger, kid="rsa"), KEYS, EXPECTED)
    assert not isinstance(told.value, UnknownKey), "a wrong signature is no reason to fetch keys"


@pytest.mark.attack("A-16")
@pytest.mark.parametrize("inside", ["jwk", "jku", "x5u"])
def test_a_key_that_the_token_brings_along_is_not_looked_at(inside):
    stranger = jwk.RSAKey.generate_key(2048, {"kid": "rsa"})
    brought = stranger.as_dict(private=False) if inside == "jwk" else "https://evil.example/keys"
    with pytest.raises(Untrusted):
        oidc_claims.read_id_token(signed(claims(), key=stranger, **{inside: brought}), KEYS, EXPECTED)


@pytest.mark.parametrize("header", [{"crit": ["exp"], "exp": 1}, {"b64": False, "crit": ["b64"]}])
def test_a_header_that_must_be_understood_is_not(header):
    text = signed(claims())
    with pytest.raises(Untrusted):
        oidc_claims.read_id_token(
            ".".join([part({"alg": "RS256", "kid": "rsa", **header}), *text.split(".")[1:]]), KEYS, EXPECTED
        )


@pytest.mark.parametrize(
    "text",
    [None, 7, "", ".", "..", "a.b.c", "a.b.c.d.e", "é.é.é", f"{part([1])}.{part([])}.", "x" * 100_001,
     f"{part({'alg': 'RS256', 'kid': 'rsa'})}.{'A' * 40}.AAAA", f"{'[' * 5000}.x.y"],
    ids=lambda t: str(t)[:20],
)  # fmt: skip
def test_what_is_no_token_is_refused_and_breaks_nothing(text):
    with pytest.raises(Untrusted):
        oidc_claims.read_id_token(text, KEYS, EXPECTED)


def test_a_payload_that_was_changed_no_longer_fits_its_signature():
    head, _, tail = signed(claims()).split(".")
    with pytest.raises(Untrusted):
        oidc_claims.read_id_token(f"{head}.{part(claims(sub='somebody-else'))}.{tail}", KEYS, EXPECTED)


def half_hash(text, hashed=hashlib.sha256):
    digest = hashed(text.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


def test_an_access_token_belongs_to_its_id_token():
    with_token = replace(EXPECTED, access_token="jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y")
    # the worked example of OpenID Connect Core 1.0, appendix A.3
    right = signed(claims(at_hash="77QmUPtjPfzWtF2AnpK9RQ"))
    assert oidc_claims.read_id_token(right, KEYS, with_token)
    ed = signed(claims(at_hash=half_hash(with_token.access_token, hashlib.sha512)), "EdDSA")
    assert oidc_claims.read_id_token(ed, KEYS, with_token)
    for wrong in ("77QmUPtjPfzWtF2AnpK9RR", "", 7, half_hash("another")):
        with pytest.raises(Untrusted, match="access token"):
            oidc_claims.read_id_token(signed(claims(at_hash=wrong)), KEYS, with_token)
    with pytest.raises(Untrusted, match="access token"):
        oidc_claims.read_id_token(right, KEYS, EXPECTED)


def test_who_was_asked_to_prove_themselves_anew_has_done_so_since():
    since = replace(EXPECTED, proven_since=AT - timedelta(minutes=2))
    fresh = int((AT - timedelta(minutes=1)).timestamp())
    found = oidc_claims.read_id_token(signed(claims(auth_time=fresh)), KEYS, since)
    assert found.proven_at == AT - timedelta(minutes=1)
    for old in (
        None,
        int((AT - timedelta(hours=2)).timestamp()),
        int((AT - timedelta(minutes=3, seconds=1)).timestamp()),
    ):
        with pytest.raises(Untrusted, match="anew"):
            oidc_claims.read_id_token(signed(claims(auth_time=old)), KEYS, since)
    ahead = signed(claims(auth_time=int(AT.timestamp()) + 30))
    assert oidc_claims.read_id_token(ahead, KEYS, EXPECTED).proven_at == AT, "never later than now"


def test_weak_strange_and_private_keys_are_left_out():
    with pytest.warns(SecurityWarning):
        weak = jwk.RSAKey.generate_key(1024, {"kid": "weak"}).as_dict(private=False)
    listed = [
        weak,
        jwk.OctKey.generate_key(256, {"kid": "shared"}).as_dict(private=True),
        {**PAIRS["RS256"].as_dict(private=False), "use": "enc"},
        jwk.ECKey.generate_key("P-384", {"kid": "384"}).as_dict(private=False),
        jwk.OKPKey.generate_key("X25519", {"kid": "x"}).as_dict(private=False),
        {"kty": "RSA", "n": "x"}, {"kty": ["RSA"]}, "no key", None, {},
        PAIRS["ES256"].as_dict(private=True),
    ]  # fmt: skip
    kept = oidc_claims.read_keys({"keys": listed})
    assert [k.kid for k in kept] == ["ec"] and not kept[0].is_private


@pytest.mark.parametrize("found", [None, [], {}, {"keys": "x"}, {"keys": {}}])
def test_what_is_no_list_of_keys_is_refused(found):
    with pytest.raises(Untrusted):
        oidc_claims.read_keys(found)


# ── what access.yml makes of it ───────────────────────────────────────────────────────────────────

ROLE = {"question": "?", "home": "/account", "entries": [], "actions": []}
POLICY = AccessFile.model_validate(
    {
        "attributes": {
            "tour": {"label": "Tour", "values": ["Nord", "Süd"], "claim": "tours"},
            "haus": {"label": "Haus", "values": ["A"]},
        },
        "roles": {
            "leitung": {**ROLE, "label": "Leitung", "groups": ["/chefs", "gf"]},
            "fahrer": {**ROLE, "label": "Fahrer", "groups": ["fahrer", "jeder"]},
            "gast": {**ROLE, "label": "Gast"},
        },
    }
)


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["jeder"], "fahrer"),
        (["jeder", "gf"], "leitung"),
        (["fahrer", "/chefs"], "leitung"),
        (["chefs"], None),
        (["GF"], None),
        ([], None),
        (["gast"], None),
    ],
)
def test_the_first_role_that_names_a_group_is_theirs(groups, role):
    assert oidc_claims.role_of(POLICY, groups) == role


def test_attributes_with_a_claim_come_from_it_and_strange_values_are_named():
    assert oidc_claims.attributes_of(POLICY, {"tours": ["Süd", "Nord", "Mond", "Süd"], "haus": "A"}) == (
        {"tour": ["Nord", "Süd"]},
        {"tour": ["Mond"]},
    )
    assert oidc_claims.attributes_of(POLICY, {"tours": "Nord"}) == ({"tour": ["Nord"]}, {})
    assert oidc_claims.attributes_of(POLICY, {}) == ({"tour": []}, {})


@pytest.mark.parametrize(
    ("claim", "said", "values"),
    [
        ("groups", {"groups": ["a", "b", "a"]}, ("a", "b")),
        ("groups", {"groups": "a"}, ("a",)),
        ("groups", {"groups": [1, None, {"x": 1}, ["a"], "", "x" * 257, "a"]}, ("a",)),
        ("groups", {"groups": {"a": 1}}, ()),
        ("groups", {}, ()),
        ("realm_access.roles", {"realm_access": {"roles": ["a"]}}, ("a",)),
        ("realm_access.roles", {"realm_access": "x"}, ()),
        ("https://company.example/groups", {"https://company.example/groups": ["a"]}, ("a",)),
    ],
)
def test_the_values_of_a_claim(claim, said, values):
    assert oidc_claims.values_of(said, claim) == values


def test_groups_that_are_too_many_to_say_are_no_groups():
    assert oidc_claims.says_groups({"groups": []}, "groups") and oidc_claims.says_groups({}, "groups")
    assert not oidc_claims.says_groups({"_claim_names": {"groups": "src1"}}, "groups")
    assert not oidc_claims.says_groups({"hasgroups": True}, "groups")


@pytest.mark.parametrize(
    ("said", "email"),
    [
        ({"email": "Ada@Company.example"}, "ada@company.example"),
        ({"email": "ada@company.example", "email_verified": True}, "ada@company.example"),
        ({"email": "ada@company.example", "email_verified": "true"}, "ada@company.example"),
        ({"email": "ada@company.example", "email_verified": False}, ""),
        ({"email": "ada@company.example", "email_verified": "false"}, ""),
        ({"email": "ada@company.example", "email_verified": None}, ""),
        ({"email": "ada@company.example", "email_verified": 1}, ""),
        ({"email": "a@b@c"}, ""),
        ({"email": "ada@x\n.example"}, ""),
        ({"email": ["ada@company.example"]}, ""),
        ({"email": "x" * 250 + "@a.example"}, ""),
        ({}, ""),
    ],
)
def test_an_address_is_shown_only_where_the_provider_stands_for_it(said, email):
    assert oidc_claims.email_of(said) == email


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"name": " Ada  Lovelace\n"}, "Ada Lovelace"),
        ({"given_name": "Ada", "family_name": "Lovelace"}, "Ada Lovelace"),
        ({"preferred_username": "ada"}, "ada"),
        ({"name": "\x00\u202e"}, ""),
        ({"name": "Ada \u202eevil"}, "Ada evil"),
        ({"name": "x" * 200}, "x" * 120),
        ({"name": 7}, ""),
        ({}, ""),
    ],
)
def test_what_to_call_somebody(said, name):
    assert oidc_claims.name_of(said) == name


def test_userinfo_adds_and_never_overrules_and_speaks_of_the_same_person():
    attested = oidc_claims.Attested("s1", {"sub": "s1", "groups": ["a"]}, None)
    more = oidc_claims.merged(attested, {"sub": "s1", "groups": ["b"], "name": "Ada"})
    assert more.claims == {"sub": "s1", "groups": ["a"], "name": "Ada"}
    for other in ({"sub": "s2"}, {}):
        with pytest.raises(Untrusted, match="somebody else"):
            oidc_claims.merged(attested, other)


def test_who_has_no_address_gets_one_that_is_nobodys_and_stays():
    first = oidc_claims.stand_in(ISSUER, "s1")
    assert first == oidc_claims.stand_in(ISSUER, "s1") and first.endswith("@provider.invalid") and len(first) == 33
    assert first != oidc_claims.stand_in("https://other.example", "s1")
