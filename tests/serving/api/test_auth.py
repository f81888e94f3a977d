"""Who may call: everyone while no keys are set, else whoever has one."""

from __future__ import annotations

import json

import pytest

from tests.running import in_process, logged
from tests.serving.api.bodies import chat_body, feedback_body, observation_body, route_body

KEY = "wb-5f1d2c0a-the-first-key"
OTHER = "wb-9b7e-the-other-key"
GUARDED = [
    ("POST", "/route", route_body()),
    ("POST", "/v1/chat/completions", chat_body()),
    ("POST", "/feedback", feedback_body()),
    ("POST", "/observations", observation_body()),
    ("GET", "/v1/models", None),
    ("GET", "/decisions/dec_0", None),
]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    with in_process(tmp_path_factory.mktemp("keys"), {"WEIGHBRIDGE_API_KEYS": f"{KEY}, {OTHER}"}) as running:
        yield running


@pytest.mark.parametrize(("method", "path", "body"), GUARDED)
@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer wrong", KEY, f"Basic {KEY}", f"Bearer {KEY}x"]
)
def test_without_a_known_key_nothing_is_answered(guarded, method, path, body, header):
    headers = {} if header is None else {"authorization": header}
    answer = guarded.request(method, path, json=body, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert KEY not in answer.text


@pytest.mark.parametrize("key", [KEY, OTHER])
@pytest.mark.parametrize(("method", "path", "body"), GUARDED)
def test_each_known_key_opens_every_endpoint(guarded, method, path, body, key):
    answer = guarded.request(method, path, json=body, headers={"authorization": f"Bearer {key}"})
    assert answer.status_code != 401


def test_a_key_is_refused_before_the_body_is_read(guarded):
    assert guarded.post("/route", content=b"not json").status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_and_monitors_need_no_key(guarded, path):
    assert guarded.get(path).status_code == 200


def test_a_key_is_found_nowhere_but_in_the_environment(guarded, caplog):
    headers = {"authorization": f"Bearer {KEY}"}
    answers = [
        guarded.post("/v1/chat/completions", json=chat_body(), headers=headers),
        guarded.post("/route", json=route_body(model="nobody"), headers=headers),
        guarded.post("/route", content=b"[", headers=headers),
    ]
    for answer in answers:
        assert KEY not in answer.text + json.dumps(dict(answer.headers))
    assert KEY not in guarded.get("/metrics").text + guarded.get("/openapi.json").text
    assert KEY not in json.dumps(logged(guarded)) + caplog.text


def test_a_key_in_other_letters_than_ascii_is_refused_not_a_fault(guarded):
    answer = guarded.get("/v1/models", headers={"authorization": "Bearer schlüssel".encode()})
    assert answer.status_code == 401
