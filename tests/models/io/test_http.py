"""Models on web servers (IO-04, IO-10)."""

from __future__ import annotations

import asyncio
import email
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tenfold.core.errors import FetchError, ModelFormatError
from tenfold.devices.host import Request, Response
from tenfold.models.io import (
    LoadOptions,
    ModelArtifacts,
    SaveOptions,
    load_artifacts,
    load_artifacts_async,
    save_artifacts,
    save_artifacts_async,
)
from tenfold.models.io.http import HttpHandler, HttpSaver, split_url
from tests.models.io import toy
from tests.models.io.server import Answer, Site, serving

Load = Callable[..., ModelArtifacts]
LOADS = [load_artifacts, lambda *arguments: asyncio.run(load_artifacts_async(*arguments))]


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        found.add_files({"model.json": json.dumps(toy.model_json()).encode(), **toy.shards()}, "/m/")
        yield found


@pytest.fixture(params=LOADS, ids=["sync", "async"])
def load(request: pytest.FixtureRequest) -> Load:
    chosen: Load = request.param
    return chosen


def assert_toy(artifacts: ModelArtifacts) -> None:
    assert artifacts.weights is not None
    toy.assert_same(artifacts.weights.arrays, toy.values())
    assert artifacts.to_json() == toy.model_json()
    assert artifacts.weight_data == toy.data()


def test_io_10_several_groups_and_paths(site: Site, load: Load) -> None:
    assert_toy(load(f"{site.url}/m/model.json"))
    assert site.paths[0] == "/m/model.json"
    assert sorted(site.paths[1:]) == ["/m/a-1of3.bin", "/m/a-3of3.bin", "/m/b.bin", "/m/sub/a-2of3.bin"]


@pytest.mark.parametrize("chunked", [False, True])
def test_shards_without_a_declared_length(site: Site, load: Load, chunked: bool) -> None:
    for answer in site.answers.values():
        answer.chunked = chunked
    assert_toy(load(f"{site.url}/m/model.json"))


def test_io_10_headers_and_query_are_sent_with_every_request(site: Site, load: Load) -> None:
    options = LoadOptions(request_headers={"X-Token": "secret"})
    assert_toy(load(f"{site.url}/m/model.json?key=a/b", options))
    assert all(path.endswith("?key=a/b") for path in site.paths)
    assert {request.headers["X-Token"] for request in site.asked} == {"secret"}


def test_io_10_weight_path_prefix(site: Site, load: Load) -> None:
    site.answers["/elsewhere.json"] = site.answers.pop("/m/model.json")
    assert_toy(load(f"{site.url}/elsewhere.json", LoadOptions(weight_path_prefix=f"{site.url}/m/")))


def test_io_10_weight_url_converter(site: Site, load: Load) -> None:
    def convert(name: str) -> str:
        return f"{site.url}/m/{name.removeprefix('./')}?converted"

    async def convert_later(name: str) -> str:
        return convert(name)

    assert_toy(load(f"{site.url}/m/model.json", LoadOptions(weight_url_converter=convert)))
    assert all(path.endswith("?converted") for path in site.paths[1:])
    assert_toy(load(f"{site.url}/m/model.json", LoadOptions(weight_url_converter=convert_later)))


def test_io_10_own_fetch_function(load: Load) -> None:
    files = {"model.json": json.dumps(toy.model_json()).encode(), **toy.shards()}
    asked: list[Request] = []

    def find(request: Request) -> bytes:
        asked.append(request)
        name = request.url.removeprefix("https://nowhere.invalid/m/")
        return files[name] if name in files else files[f"./{name}"]

    async def find_later(request: Request) -> Response:
        await asyncio.sleep(0)
        return Response(200, find(request), {"Content-Length": "999", "Content-Encoding": "gzip"})

    options = {"request_headers": {"A": "b"}}
    assert_toy(load("https://nowhere.invalid/m/model.json", LoadOptions(fetch=find, **options)))
    assert {request.method for request in asked} == {"GET"}
    assert all(request.headers == {"A": "b"} for request in asked)
    assert_toy(load("https://nowhere.invalid/m/model.json", LoadOptions(fetch=find_later)))


def test_an_asynchronous_fetch_inside_an_event_loop_says_to_await() -> None:
    async def fetch(_: Request) -> bytes:
        return b"{}"

    async def run() -> None:
        load_artifacts("http://nowhere.invalid/model.json", LoadOptions(fetch=fetch))

    with pytest.raises(RuntimeError, match="await"):
        asyncio.run(run())


def test_io_10_errors_of_the_server(site: Site, load: Load) -> None:
    with pytest.raises(FetchError, match=r"GET .*/m/other\.json was answered with HTTP status 404") as caught:
        load(f"{site.url}/m/other.json")
    assert caught.value.status == 404
    assert caught.value.url == f"{site.url}/m/other.json"
    site.answers["/m/b.bin"] = Answer(b"<html>", 500)
    with pytest.raises(FetchError, match=r"b\.bin was answered with HTTP status 500"):
        load(f"{site.url}/m/model.json")


def test_io_10_missing_topology_and_manifest(site: Site, load: Load) -> None:
    site.answers["/m/model.json"] = Answer(b"{}")
    with pytest.raises(ModelFormatError, match=r"/m/model\.json has neither modelTopology nor weightsManifest"):
        load(f"{site.url}/m/model.json")


@pytest.mark.parametrize("url", ["", None, "file:///model.json", "model.json"])
def test_io_10_empty_and_other_addresses(url: Any) -> None:
    for handler in (HttpHandler, HttpSaver):
        with pytest.raises(ValueError, match="address"):
            handler(url)


def test_a_server_that_is_not_there(load: Load) -> None:
    with serving() as gone:
        url = gone.url
    with pytest.raises(FetchError, match="could not be reached") as caught:
        load(f"{url}/model.json")
    assert caught.value.status is None


@pytest.mark.parametrize("path", ["/m/a-1of3.bin", "/m/sub/a-2of3.bin", "/m/b.bin"])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("change", [-1, 1, 5_000_000])
def test_shards_of_the_wrong_length(site: Site, load: Load, path: str, chunked: bool, change: int) -> None:
    body = site.answers[path].body
    site.answers[path] = Answer(body[:change] if change < 0 else body + bytes(change), chunked=chunked)
    with pytest.raises(ModelFormatError):
        load(f"{site.url}/m/model.json")


def test_a_connection_that_breaks_off(site: Site, load: Load) -> None:
    answer = site.answers["/m/b.bin"]
    site.answers["/m/b.bin"] = Answer(answer.body[:3], declared=len(answer.body))
    with pytest.raises((ModelFormatError, FetchError), match=r"b\.bin"):
        load(f"{site.url}/m/model.json")


def test_redirects_go_to_http_only(site: Site, load: Load) -> None:
    site.answers["/moved"] = Answer(status=302, headers={"Location": "/m/model.json"})
    options = LoadOptions(weight_path_prefix=f"{site.url}/m/")
    assert_toy(load(f"{site.url}/moved", options))
    for target in ("file:///etc/passwd", "ftp://127.0.0.1/x", "data:,{}", "//[bad"):
        site.answers["/away"] = Answer(status=301, headers={"Location": target})
        with pytest.raises(FetchError):
            load(f"{site.url}/away")
    site.answers["/round"] = Answer(status=307, headers={"Location": "/round"})
    with pytest.raises(FetchError):
        load(f"{site.url}/round")


def test_credentials_do_not_follow_a_redirect_to_another_host(site: Site, load: Load) -> None:
    with serving() as other:
        other.answers["/model.json"] = Answer(b'{"modelTopology": {}}')
        site.answers["/moved"] = Answer(status=302, headers={"Location": f"{other.url}/model.json"})
        headers = {"Authorization": "Bearer secret", "X-Harmless": "1"}
        load(f"{site.url}/moved", LoadOptions(request_headers=headers))
        assert site.asked[-1].headers["Authorization"] == "Bearer secret"
        assert "Authorization" not in other.asked[0].headers
        assert other.asked[0].headers["X-Harmless"] == "1"


def test_from_tfhub_appends_its_file_name(site: Site, load: Load) -> None:
    assert_toy(load(f"{site.url}/m", LoadOptions(from_tfhub=True)))
    assert_toy(load(f"{site.url}/m/", LoadOptions(from_tfhub=True)))
    assert site.paths[0] == "/m/model.json?tfjs-format=file"


def test_progress_goes_from_0_to_1_over_the_bytes(site: Site, load: Load) -> None:
    seen: list[float] = []
    load(f"{site.url}/m/model.json", LoadOptions(on_progress=seen.append))
    assert seen == sorted(set(seen))
    assert len(seen) > 3
    assert seen[-1] == 1.0


def test_cancelled_loading_ends_its_requests(site: Site) -> None:
    started = 0

    async def fetch(request: Request) -> bytes:
        nonlocal started
        if request.url.endswith(".json"):
            return json.dumps(toy.model_json()).encode()
        started += 1
        await asyncio.sleep(60)
        raise AssertionError

    async def run() -> int:
        loading = asyncio.ensure_future(load_artifacts_async(f"{site.url}/m/model.json", LoadOptions(fetch=fetch)))
        while started < 4:
            await asyncio.sleep(0)
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading
        return len(asyncio.all_tasks())

    assert asyncio.run(run()) == 1


@pytest.mark.parametrize(
    ("url", "prefix", "query"),
    [
        ("http://h/model.json", "http://h/", ""),
        ("http://h/a/b.json?q=1", "http://h/a/", "?q=1"),
        ("http://h/a/b.json?q=1/2", "http://h/a/", "?q=1/2"),
        ("http://h/a/?q", "http://h/a/", "?q"),
        ("http://h/a/b#c/d", "http://h/a/", ""),
    ],
)
def test_io_10_prefix_and_suffix(url: str, prefix: str, query: str) -> None:
    assert split_url(url) == (prefix, query)


def test_names_of_shards_are_quoted_in_addresses(load: Load) -> None:
    asked: list[str] = []

    def fetch(request: Request) -> bytes:
        asked.append(request.url)
        if request.url.endswith(".json"):
            manifest = [{"paths": ["a b#ü.bin"], "weights": []}]
            return json.dumps({"weightsManifest": manifest}).encode()
        return b""

    load("http://h/model.json", LoadOptions(fetch=fetch))
    assert asked[1] == "http://h/a%20b%23%C3%BC.bin"


def parts_of(site: Site) -> dict[str, tuple[str, bytes]]:
    """The files of the form that was sent last, with their media types."""
    request = site.asked[-1]
    header = b"Content-Type: " + request.headers["Content-Type"].encode() + b"\r\n\r\n"
    message = email.message_from_bytes(header + request.body)
    found: dict[str, tuple[str, bytes]] = {}
    for part in message.get_payload():
        content = part.get_payload(decode=True)  # type: ignore[union-attr]
        found[str(part.get_filename())] = (part.get_content_type(), content)  # type: ignore
    return found


@pytest.mark.parametrize("asynchronous", [False, True])
def test_io_10_saving_posts_a_form(site: Site, asynchronous: bool) -> None:
    site.answers["/save"] = Answer(b"thanks")
    artifacts = load_artifacts(f"{site.url}/m/model.json")
    options = SaveOptions(request_headers={"X-Token": "t"})
    target = f"{site.url}/save"
    result = (
        asyncio.run(save_artifacts_async(target, artifacts, options))
        if asynchronous
        else save_artifacts(target, artifacts, options)
    )
    assert site.asked[-1].method == "POST"
    assert site.asked[-1].headers["X-Token"] == "t"
    parts = parts_of(site)
    assert list(parts) == ["model.json", "model.weights.bin"]
    assert parts["model.weights.bin"] == ("application/octet-stream", toy.data())
    media_type, text = parts["model.json"]
    assert media_type == "application/json"
    manifest = [{"paths": ["./model.weights.bin"], "weights": toy.specs()}]
    assert json.loads(text) == toy.model_json(weightsManifest=manifest)
    assert result.model_artifacts_info.weight_data_bytes == len(toy.data())  # IO-07
    assert [response.status for response in result.responses] == [200]
    with result.responses[0] as response:
        assert response.read(100) == b"thanks"


def test_io_10_saving_by_another_method_and_a_topology_alone(site: Site) -> None:
    site.answers["/save"] = Answer()
    result = save_artifacts(f"{site.url}/save", ModelArtifacts({"a": 1}), SaveOptions(request_method="PUT"))
    result.responses[0].close()
    assert site.asked[-1].method == "PUT"
    assert parts_of(site) == {"model.json": ("application/json", b'{"modelTopology":{"a":1}}')}


def test_io_10_saving_where_the_server_refuses(site: Site) -> None:
    with pytest.raises(FetchError, match=r"POST .*/absent was answered with HTTP status 404"):
        save_artifacts(f"{site.url}/absent", ModelArtifacts({}))


def test_what_was_sent_can_be_loaded(site: Site, load: Load) -> None:
    site.answers["/save"] = Answer()
    save_artifacts(f"{site.url}/save", load(f"{site.url}/m/model.json")).responses[0].close()
    site.add_files({name: content for name, (_, content) in parts_of(site).items()}, "/again/")
    artifacts = load(f"{site.url}/again/model.json")
    assert artifacts.weights is not None
    toy.assert_same(artifacts.weights.arrays, toy.values())


def test_large_weights_over_several_shards(site: Site, load: Load) -> None:
    values = np.arange(700_000, dtype=np.float32)
    spec = {"name": "w", "shape": [700_000], "dtype": "float32"}
    paths = [f"g{i}.bin" for i in range(9)]
    pieces = np.array_split(values.view(np.uint8), 9)
    site.add_files(dict(zip(paths, (piece.tobytes() for piece in pieces), strict=True)), "/big/")
    model = {"modelTopology": {}, "weightsManifest": [{"paths": paths, "weights": [spec]}]}
    site.add_files({"model.json": json.dumps(model).encode()}, "/big/")
    artifacts = load(f"{site.url}/big/model.json")
    assert artifacts.weights is not None
    np.testing.assert_array_equal(artifacts.weights.arrays["w"], values)
    assert artifacts.manifest is not None
    assert artifacts.manifest[0].shard_sizes == tuple(piece.size for piece in pieces)
