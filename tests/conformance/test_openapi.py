"""schemathesis throws generated requests at the API: no crash, no undocumented answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from leadapron.app.api.server import create_app
from leadapron.app.instance import Instance
from leadapron.app.settings import Settings
from leadapron.model import Recipient, Role

pytestmark = pytest.mark.conformance

schema = schemathesis.openapi.from_asgi("/openapi.json", create_app())


@pytest.fixture(scope="module")
def application(tmp_path_factory) -> Iterator[tuple[object, str]]:
    base = tmp_path_factory.mktemp("openapi")
    with Instance.open(Settings(data=base / "data", keys=base / "keys")) as instance:
        instance.policy.add_recipient(Recipient("fuzz", Role.PRIVACY_OFFICER, "", "fuzz"))
        token, _ = instance.accounts.issue("reader", "fuzz")
        yield create_app(instance), token


@schema.parametrize()
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_crashes_the_api(case, application):
    app, token = application
    case.operation.app = app
    case.operation.schema.app = app
    response = case.call(headers={"Authorization": f"Bearer {token}"})
    case.validate_response(
        response,
        checks=[
            schemathesis.checks.not_a_server_error,
            schemathesis.checks.response_schema_conformance,
            schemathesis.checks.content_type_conformance,
        ],
    )
