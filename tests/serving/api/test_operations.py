"""What operators and SDKs ask besides: health, readiness, models, numbers, the OpenAPI page."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.running import in_process
from tests.serving.api.bodies import chat_body, route_body

PATHS = {"/route", "/v1/chat/completions", "/v1/models", "/feedback", "/healthz", "/readyz", "/metrics"}


def samples(client):
    """Return every sample of /metrics by name and labels."""
    text = client.get("/metrics").text
    families = text_string_to_metric_families(text)
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def total(client, name):
    return sum(value for key, value in samples(client).items() if key[0] == name)


def test_a_living_service_says_so(client):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_ready_service_names_its_artifact_and_its_log(client):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    ready = answer.json()
    assert (ready["status"], ready["classifier"], ready["log"]) == ("ready", "ok", "writing")
    assert ready["artifact"] != "none"
    assert ready["deployments"] == 3


def test_a_service_whose_log_has_stopped_is_not_ready(tmp_path):
    with in_process(tmp_path) as running:
        running.app.state.context.gateway.writer.close(1.0)
        answer = running.get("/readyz")
    assert (answer.status_code, answer.json()["log"]) == (503, "stopped")


def test_models_lists_auto_and_every_deployment(client):
    listed = client.get("/v1/models").json()
    assert listed["object"] == "list"
    assert [row["id"] for row in listed["data"]] == ["auto", "demo-economy", "demo-standard", "demo-premium"]
    assert all(row["object"] == "model" for row in listed["data"])


def test_metrics_count_decisions_outcomes_and_money(client):
    decided, ended = total(client, "weighbridge_decisions_total"), total(client, "weighbridge_outcomes_total")
    spent = total(client, "weighbridge_cost_usd_total")
    client.post("/route", json=route_body())
    client.post("/v1/chat/completions", json=chat_body())
    assert total(client, "weighbridge_decisions_total") == decided + 2
    assert total(client, "weighbridge_outcomes_total") == ended + 1
    assert total(client, "weighbridge_cost_usd_total") > spent


def test_metrics_count_what_the_log_wrote_and_dropped(client):
    client.post("/route", json=route_body())
    client.app.state.context.gateway.writer.flush(5.0)
    found = samples(client)
    assert found["weighbridge_log_records", ("state", "written")] > 0
    assert found["weighbridge_log_records", ("state", "dropped")] == 0


def test_metrics_never_have_a_label_from_a_caller(client):
    client.post("/v1/chat/completions", json=chat_body(model="made-up-by-a-caller"))
    assert "made-up-by-a-caller" not in client.get("/metrics").text


def test_the_openapi_page_lists_every_endpoint(client):
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) >= PATHS


@pytest.mark.parametrize("path", ["/route", "/v1/chat/completions", "/feedback"])
def test_the_openapi_page_shows_the_body_of_each_endpoint(client, path):
    document = client.get("/openapi.json").json()
    content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    name = content["schema"]["$ref"].rpartition("/")[2]
    assert document["components"]["schemas"][name]["properties"]


def test_every_reference_of_the_openapi_page_leads_somewhere(client):
    document = client.get("/openapi.json").json()
    text = client.get("/openapi.json").text
    known = document["components"]["schemas"]
    assert all(name in known for name in re.findall(r"#/components/schemas/([\w.]+)", text))


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_the_page_that_describes_us_can_be_read(client, path):
    assert client.get(path).status_code == 200
