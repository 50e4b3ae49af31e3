"""What clients ask the watcher to try again, on a real Redis."""

from __future__ import annotations

from shared.redis.clients import connect
from shared.watch.files import RetryRequest, RetryRequests


def test_what_is_asked_stays_until_it_is_removed(redis_url: str) -> None:
    client = connect(redis_url)
    requests = RetryRequests(client, "default")
    asked = [RetryRequest(folder_id="f"), RetryRequest(folder_id="g", paths=("/a", "/ü"))]
    for request in asked:
        requests.add(request)
    assert list(requests.pending()) == asked == list(requests.pending())
    requests.add(RetryRequest(folder_id="h"))
    requests.remove(asked[1])
    assert list(requests.pending()) == [asked[0], RetryRequest(folder_id="h")]
    requests.remove(asked[0])
    requests.remove(RetryRequest(folder_id="h"))
    assert list(requests.pending()) == []
    client.close()
