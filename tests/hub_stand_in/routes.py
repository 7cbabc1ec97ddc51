"""Which function answers which request."""

import re
from collections.abc import Callable
from urllib.parse import unquote

from tests.hub_stand_in import account_routes, collection_routes, lfs_storage, reading_routes, writing_routes
from tests.hub_stand_in.answers import Answer, Refused, no_such_address
from tests.hub_stand_in.contents import Contents
from tests.hub_stand_in.requests_received import Request

REPOSITORY = r"/api/(?P<kind>models|datasets|spaces)/(?P<owner>[^/]+)/(?P<name>[^/]+)"
PAGE = r"/(?:(?P<kind>datasets|spaces)/)?(?P<owner>[^/]+)/(?P<name>[^/]+)"
STORED = r"/lfs-storage/(?P<kind>models|datasets|spaces)/(?P<owner>[^/]+)/(?P<name>[^/]+)/(?P<sha256>[0-9a-f]{64})"
COLLECTION = r"/api/collections/(?P<slug>[^/]+/[^/]+)"
REVISION = r"(?P<revision>[^/]+)"

ROUTES: list[tuple[str, str, Callable[[Contents, Request, dict[str, str]], Answer]]] = [
    ("GET", "/api/whoami-v2", account_routes.who_am_i),
    ("POST", "/api/repos/create", account_routes.create_repository),
    ("DELETE", "/api/repos/delete", account_routes.delete_repository),
    ("GET", "/api/agent-harnesses", account_routes.known_agents),
    ("POST", "/api/validate-yaml", account_routes.validate_yaml),
    ("PUT", f"{REPOSITORY}/settings", account_routes.change_settings),
    ("GET", f"{REPOSITORY}/auth-check(?P<write>/write)?", account_routes.check_access),
    ("POST", f"{REPOSITORY}/branch/{REVISION}", account_routes.create_branch),
    ("POST", f"{REPOSITORY}/tag/{REVISION}", account_routes.create_tag),
    ("GET", f"{REPOSITORY}(?:/revision/{REVISION})?", reading_routes.describe),
    ("GET", f"{REPOSITORY}/tree/{REVISION}(?:/(?P<path>.*))?", reading_routes.list_tree),
    ("POST", f"{REPOSITORY}/paths-info/{REVISION}", reading_routes.list_paths),
    ("GET", f"{REPOSITORY}/commits/{REVISION}", reading_routes.list_commits),
    ("GET", f"{REPOSITORY}/refs", reading_routes.list_refs),
    ("POST", f"{REPOSITORY}/preupload/{REVISION}", writing_routes.preupload),
    ("POST", f"{REPOSITORY}/commit/{REVISION}", writing_routes.commit),
    ("GET", f"{PAGE}/resolve/{REVISION}/(?P<path>.*)", reading_routes.resolve),
    ("POST", rf"{PAGE}\.git/info/lfs/objects/batch", lfs_storage.lfs_batch),
    ("POST", rf"{PAGE}\.git/info/lfs/complete", lfs_storage.complete),
    ("POST", rf"{PAGE}\.git/info/lfs/verify", lfs_storage.verify),
    ("PUT", f"{STORED}(?:/(?P<part>[0-9]+))?", lfs_storage.store),
    ("GET", STORED, lfs_storage.fetch),
    ("POST", "/api/collections", collection_routes.create_collection),
    ("GET", COLLECTION, collection_routes.read_collection),
    ("PATCH", COLLECTION, collection_routes.change_collection),
    ("DELETE", COLLECTION, collection_routes.delete_collection),
    ("POST", f"{COLLECTION}/items?", collection_routes.add_item),
    ("PATCH", f"{COLLECTION}/items/(?P<item>[^/]+)", collection_routes.change_item),
    ("DELETE", f"{COLLECTION}/items/(?P<item>[^/]+)", collection_routes.delete_item),
]
VIEWER = re.compile(r"datasets-server\.")


def answer(contents: Contents, request: Request) -> Answer:
    """Answers a request; HEAD as GET, its body is left out where it is sent."""
    if VIEWER.match(request.host):
        return reading_routes.dataset_viewer(contents, request, {})
    method = "GET" if request.method == "HEAD" else request.method
    for known_method, pattern, function in ROUTES:
        found = re.fullmatch(pattern, request.path)
        if known_method == method and found:
            named = {name: value if value is None else unquote(value) for name, value in found.groupdict().items()}
            try:
                return function(contents, request, named)
            except Refused as refusal:
                return refusal.answer
    return no_such_address(f"{request.method} {request.path}").answer
