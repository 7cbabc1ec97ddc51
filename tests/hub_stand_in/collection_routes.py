"""Collections: making, reading, changing and deleting them, and their items."""

import re

from tests.hub_stand_in.answers import Answer, Refused, json_answer
from tests.hub_stand_in.contents import Collection, Contents
from tests.hub_stand_in.requests_received import Request

UPDATED = "2026-01-01T00:00:00.000Z"


def create_collection(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """A new collection; 409, with its name, where there is one of that title."""
    asked = request.json
    owner = asked["namespace"]
    contents.writer(request, owner, refusal=f'You don\'t have the rights to create a collection under the namespace "{owner}"')
    for known in contents.collections.values():
        if (known.owner, known.title) == (owner, asked["title"]):
            raise Refused(409, "This collection already exists", details={"slug": known.slug})
    name = re.sub(r"[^a-z0-9]+", "-", asked["title"].lower()).strip("-")
    slug = f"{owner}/{name}-{len(contents.collections) + 1:024x}"
    contents.collections[slug] = Collection(slug, asked["title"], owner, asked["private"], asked.get("description"))
    return json_answer(_told(contents.collections[slug]))


def read_collection(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """A collection with its items."""
    return json_answer(_told(_readable(contents, request, match)))


def change_collection(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """Another title, description or visibility."""
    collection = _writable(contents, request, match)
    for name in ("title", "description", "private"):
        setattr(collection, name, request.json.get(name, getattr(collection, name)))
    return json_answer({"success": True, "data": _told(collection)})


def delete_collection(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """Forgets a collection."""
    del contents.collections[_writable(contents, request, match).slug]
    return json_answer({"success": True})


def add_item(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """Adds a repository; 404 where there is none, 409 where it is in the collection already."""
    collection = _writable(contents, request, match)
    item, note = request.json["item"], request.json.get("note")
    if (item["type"], item["id"]) not in contents.repositories:
        raise Refused(404, "Item not found")
    if any((known["type"], known["id"]) == (item["type"], item["id"]) for known in collection.items):
        raise Refused(409, "Item already in collection")
    position = len(collection.items)
    entry = {"_id": f"{position + 1:024x}", "id": item["id"], "type": item["type"], "position": position}
    collection.items.append({**entry, **({"note": {"html": note, "text": note}} if note else {})})
    return json_answer(_told(collection))


def change_item(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """Another note or position for an item."""
    entry = _item(_writable(contents, request, match), match)
    if "note" in request.json:
        entry["note"] = {"html": request.json["note"], "text": request.json["note"]}
    entry["position"] = request.json.get("position", entry["position"])
    return json_answer({"success": True})


def delete_item(contents: Contents, request: Request, match: dict[str, str]) -> Answer:
    """Takes an item out."""
    collection = _writable(contents, request, match)
    collection.items.remove(_item(collection, match))
    return json_answer({"success": True})


def _told(collection: Collection) -> dict:
    said = {name: getattr(collection, name) for name in ("slug", "title", "description", "private")}
    owner = {"type": "user", "name": collection.owner}
    return {**said, "owner": owner, "items": collection.items, "lastUpdated": UPDATED, "position": 0, "theme": "blue", "upvotes": 0}


def _item(collection: Collection, match: dict[str, str]) -> dict:
    for entry in collection.items:
        if entry["_id"] == match["item"]:
            return entry
    raise Refused(404, "Item not found")


def _readable(contents: Contents, request: Request, match: dict[str, str]) -> Collection:
    user = contents.user(request)
    collection = contents.collections.get(match["slug"])
    if collection is None or (collection.private and (user is None or collection.owner not in user.namespaces)):
        raise Refused(404, "Collection not found")
    return collection


def _writable(contents: Contents, request: Request, match: dict[str, str]) -> Collection:
    collection = _readable(contents, request, match)
    contents.writer(request, collection.owner, refusal="Forbidden")
    return collection
