"""Makes a typed client from a host's document with openapi-python-client, and uses it."""

import importlib
import subprocess
import sys
import tempfile
from pathlib import Path

url, token = sys.argv[1], sys.argv[2]
folder = Path(tempfile.mkdtemp())
generator = Path(sys.executable).parent / "openapi-python-client"
document = f"{url}/openapi.json"
command = [generator, "generate", "--url", document, "--meta", "none", "--output-path", folder / "made"]
made = subprocess.run(command, capture_output=True, text=True, check=False)
assert made.returncode == 0 and "unable to" not in made.stdout.lower(), made.stdout + made.stderr

sys.path.insert(0, str(folder))
client = importlib.import_module("made").AuthenticatedClient(base_url=url, token=token)
models = importlib.import_module("made.models")


def operation(name):
    """The module of an operation, such as `comments.create_comment`."""
    plugin, _ = name.split(".")
    return importlib.import_module(f"made.api.{plugin}.{name.replace('.', '_')}")


def call(name, *path, **arguments):
    """Status, parsed body and headers of a call."""
    answer = operation(name).sync_detailed(*path, client=client, **arguments)
    return int(answer.status_code), answer.parsed, answer.headers


target = "post:made-by-python"
new = models.CommentsNewComment(target=target, body="Written by a **made** client.")
status, comment, headers = call("comments.create_comment", body=new)
assert status == 201 and isinstance(comment, models.CommentsComment), (status, comment)

status, page, _ = call("comments.list_comments", target=target)
assert status == 200 and [item.id for item in page.items] == [comment.id], page

edit = models.CommentsEdit(body="Edited.")
status, edited, _ = call("comments.edit_comment", comment.id, body=edit, if_match=headers["etag"])
assert status == 200 and edited.body == "Edited.", (status, edited)
status, problem, _ = call("comments.edit_comment", comment.id, body=edit, if_match=headers["etag"])
assert status == 412 and isinstance(problem, models.CommentsProblem), (status, problem)

status, problem, _ = call("comments.read_comment", "nothing-of-that-id")
assert status == 404 and problem.code == "not-found", (status, problem)

status, _, _ = call("comments.delete_comment", comment.id)
assert status == 204, status
