"""A build's files by name, size and sha256: from the model hub's own record at one commit, or from a folder; never copied by hand."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from draftctl.errors import DraftctlError, UsageError
from draftctl.manifest import WeightFile
from draftctl.yamlfile import parse_yaml

CHUNK = 4 * 1024 * 1024
# What a server needs: weights as safetensors alone (the other formats can run code), the tokenizer, the configuration, the template.
_WANTED = re.compile(r"(?:.+\.safetensors(?:\.index\.json)?|[\w.-]*config\.json|tokenizer[\w.]*|tekken\.json|vocab\.json|merges\.txt|"
                     r"special_tokens_map\.json|added_tokens\.json|chat_template[\w.]*|params\.json)")  # fmt: skip
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """What is pinned: the repository, the commit, its files."""

    repo: str
    revision: str
    files: tuple[WeightFile, ...]


def files_of_folder(folder: Path, repo_at: str | None) -> Pinned:
    """Hash the files of a folder that a server needs."""
    repo, revision = _split(repo_at) if repo_at else ("", "")
    if not _COMMIT.fullmatch(revision):
        raise UsageError("With a folder, say which commit it is: --repo REPO@REV, the commit in 40 hex digits.")
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    files = tuple(
        WeightFile(name=name, bytes=(folder / name).stat().st_size, sha256=_hash(folder / name))
        for name in _served(names)
    )
    return _checked(Pinned(repo=repo, revision=revision, files=files), str(folder))


def files_of_hub(source: str, *, endpoint: str | None, token: str | None) -> Pinned:
    """Ask the model hub for a repository's files at a commit; a branch is resolved to its commit, small files are fetched and hashed.

    Raises UsageError where huggingface_hub is not installed, DraftctlError where the hub does not answer.
    """
    try:
        from huggingface_hub import HfApi  # noqa: PLC0415
        from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError  # noqa: PLC0415
    except ImportError as error:
        raise UsageError("This needs huggingface_hub.", hint="pip install 'draftctl[hub]'") from error
    repo, revision = _split(source)
    api = HfApi(endpoint=endpoint, token=token or False)
    try:
        info = api.model_info(repo, revision=revision, files_metadata=True)
        commit = str(info.sha)
        entries = {entry.rfilename: entry for entry in info.siblings or ()}
        files = tuple(_hub_file(api, repo, commit, name, entries[name]) for name in _served(sorted(entries)))
    except RepositoryNotFoundError as error:
        raise UsageError(
            f"The hub has no {repo} at {revision}, or it needs a token.", hint="`draftctl keys set HF_TOKEN`"
        ) from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise DraftctlError(f"The hub could not be asked about {source}: {type(error).__name__}.") from error
    return _checked(Pinned(repo=repo, revision=commit, files=files), source)


def _hub_file(api: Any, repo: str, commit: str, name: str, entry: Any) -> WeightFile:
    """Return one file: large ones have their sha256 on record, the small ones are fetched at that commit and hashed."""
    if entry.lfs is not None:
        return WeightFile(name=name, bytes=entry.lfs.size, sha256=entry.lfs.sha256)
    path = Path(api.hf_hub_download(repo, name, revision=commit))
    return WeightFile(name=name, bytes=path.stat().st_size, sha256=_hash(path))


def _served(names: Sequence[str]) -> list[str]:
    return [
        name for name in names if "/" not in name and _WANTED.fullmatch(name) and name != "consolidated.safetensors"
    ]


def _checked(pinned: Pinned, source: str) -> Pinned:
    if not any(file.name.endswith(".safetensors") for file in pinned.files):
        raise UsageError(f"{source} has no .safetensors file, and no other kind of weights is served.")
    return pinned


def _split(source: str) -> tuple[str, str]:
    repo, _, revision = source.partition("@")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo) or not revision:
        raise UsageError(f"{source!r} is neither a folder nor REPO@REV.", hint="As in owner/model@0123abcd...")
    return repo, revision


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def with_files(text: str | None, engine_id: str, pinned: Pinned) -> str:
    """Return a manifest's text with `base` and `files` as pinned; everything else in it stays as it is written."""
    base = f'base:\n  repo: {pinned.repo}\n  revision: "{pinned.revision}"\n'
    files = "files:\n" + "".join(
        f'  - {{name: {_quoted(file.name)}, bytes: {file.bytes}, sha256: "{file.sha256}"}}\n' for file in pinned.files
    )
    if text is None:
        return f"id: {engine_id}\n{base}status: candidate\n{files}"
    parse_yaml(text.encode(), "the manifest")  # what cannot be read is not rewritten
    text = _replace_block(text, "base", base)
    return _replace_block(text, "files", files)


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z][\w.-]*", name) else f'"{name}"'


def _replace_block(text: str, key: str, block: str) -> str:
    """Put a top-level key's block in the place of the one that is there, or at the end."""
    pattern = re.compile(rf"^{key}:.*\n(?:(?:[ \t]+.*|[ \t]*|- .*)\n)*?(?=^[^\s#-]|^#|\Z)", re.MULTILINE)
    if pattern.search(text):
        return pattern.sub(lambda _: block, text, count=1)
    return text.rstrip("\n") + "\n" + block
