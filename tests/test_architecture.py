"""The map of the house: imports run down these rows only, and modules of one row do not import each other."""

import ast
import fnmatch
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "draftctl"
ROWS = """
__main__
cli.main
cli.upkeep
cli.demo cli.review cli.running
tui cli.plain_review
tui_parts
cli.review_text cli.editor
cli.saving cli.making
cli.drafting cli.sending cli.deciding cli.staging cli.versions cli.seeing cli.trying cli.pinning cli.cron cli.forecast cli.exporting cli.erasing cli.reporting
cli.gpu cli.linting cli.asking
cli.ready
cli.renting
cli.adapters cli.rental cli.rented cli.judging cli.control cli.telling cli.content cli.workflow cli.look
cli.progress
cli.context
checkup
residence
tally rehearsal
service
import_corrections export template_check erase report rule_cases hostile
workflow_tests
run_notes export_walk stage_files trial
export_plan
batch dispatch ingest starter heartbeat notices schedule pin tokens review_session
earlier json_schemas saving new_workflow differ matrix
gpu.manager
gpu.hosted
gpu.script gpu.making
gpu.desk
gpu.outlook gpu.reap gpu.node gpu.forward gpu.curve
gpu.budget gpu.advice gpu.digitalocean
gpu.simulate gpu.clairvoyant gpu.transport gpu.scopes gpu.readiness gpu.ssh gpu.keys
store.erasure
store.people store.reviewing store.export_rows store.figures store.story
store.corrections
store.backup store.engines store.views store.leases
store.results
store.standing
store.jobs
store.threads
store.few_shot store.training
store.persons
store.decisions store.tried store.audit store.writer store.checkpoints store.workflows store.leases_of_review
store.db
lint workspace
runner
stages screening
engines.chat
engines.template engines.absent engines.endpoints engines.wire engines.probe
decisions classifier
loading
rules
rules.*
rules.base
preview samples
chain
memory
answers context engines.base
chainset
routing workflowlock classifier_file
workflow
experiment_file
workflow_file
gates
gates.coercion gates.duplicate gates.explicit gates.language gates.identity gates.legal_threat gates.minor gates.opt_out gates.owner gates.payment gates.personal_data gates.placeholder gates.price gates.repetition gates.self_harm gates.services gates.think_leak gates.threat gates.unscreened_commitment
phrases
gates.base
gates.text
corrections_file
canon vocab manifest settings inbox
jinja_check
pacing
gpu.cloud gpu.policy
outlets.file outlets.http
outlets.base
prompt rendering file_model
yamlfile few_shot
yaml_faults
control_tokens corrections
exports
exports.sft exports.dpo exports.kto exports.llamafactory exports.axolotl exports.openai exports.card
exports.configs
exports.base models holds redaction split wording
engine_id spelling
errors store.schema failpoints quiet_log addresses
__init__ cli engines store gpu outlets
"""
PURE = [
    "errors",
    "engine_id",
    "models",
    "holds",
    "yamlfile",
    "prompt",
    "rendering",
    "control_tokens",
    "workflow",
    "workflow_file",
    "experiment_file",
    "file_model",
    "jinja_check",
    "yaml_faults",
    "loading",
    "rules",
    "rules.base",
    "rules.*",
    "spelling",
    "differ",
    "hostile",
    "json_schemas",
    "matrix",
    "new_workflow",
    "samples",
    "saving",
    "trial",
    "workflow_tests",
    "workflowlock",
    "chainset",
    "routing",
    "context",
    "addresses",
    "answers",
    "classifier",
    "classifier_file",
    "decisions",
    "memory",
    "outlets.base",
    "pacing",
    "phrases",
    "screening",
    "stages",
    "preview",
    "chain",
    "engines.wire",
    "engines.endpoints",
    "canon",
    "vocab",
    "manifest",
    "inbox",
    "runner",
    "lint",
    "engines.base",
    "gates",
    "store.schema",
    "gates.base",
    "gates.text",
    "gates.coercion",
    "gates.duplicate",
    "gates.explicit",
    "gates.language",
    "gates.unscreened_commitment",
    "gates.identity",
    "gates.legal_threat",
    "gates.minor",
    "gates.opt_out",
    "gates.owner",
    "gates.payment",
    "gates.personal_data",
    "gates.placeholder",
    "gates.price",
    "gates.repetition",
    "gates.self_harm",
    "gates.services",
    "gates.think_leak",
    "gates.threat",
    "gpu.policy",
    "gpu.cloud",
    "gpu.simulate",
    "gpu.clairvoyant",
    "gpu.curve",
    "gpu.scopes",
    "schedule",
    "few_shot",
    "corrections",
    "corrections_file",
    "redaction",
    "split",
]
IMPURE = {
    "os",
    "time",
    "random",
    "secrets",
    "socket",
    "sqlite3",
    "subprocess",
    "httpx",
    "sqlite_utils",
    "typer",
    "rich",
    "uuid",
    "asyncio",
}

MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__") or "__init__"
    for path in PACKAGE.rglob("*.py")
)

NAMED = set(ROWS.split())
ROW_OF = {
    module: n
    for n, row in enumerate(ROWS.strip().splitlines())
    for word in row.split()
    for module in (fnmatch.filter(set(MODULES) - NAMED, word) if "*" in word else [word])
}


def _imports(module: str) -> set[str]:
    path = PACKAGE / (module.replace(".", "/") + ".py")
    path = (
        path
        if path.exists()
        else PACKAGE / module.replace(".", "/") / "__init__.py"
        if module != "__init__"
        else PACKAGE / "__init__.py"
    )
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def _ours(module: str) -> set[str]:
    names = {name.removeprefix("draftctl.") for name in _imports(module) if name.startswith("draftctl")}
    return {name for name in names if name in ROW_OF}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_rows_below(module: str) -> None:
    assert module in ROW_OF, f"{module} has no row: put it where what it may know lies below"
    above = [other for other in _ours(module) if ROW_OF[other] <= ROW_OF[module] and other != module]
    assert not above, f"{module} imports {above}, which are not below it"


@pytest.mark.parametrize("module", [module for word in PURE for module in fnmatch.filter(MODULES, word)])
def test_a_pure_module_reads_no_clock_no_wire_and_no_disk(module: str) -> None:
    assert not {name.split(".")[0] for name in _imports(module)} & IMPURE


def test_every_row_exists() -> None:
    assert set(ROW_OF) == set(MODULES)


def _functions() -> list[tuple[str, int]]:
    return [
        (f"{path.name}:{node.name}", (node.end_lineno or 0) - node.lineno + 1)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]


def test_sizes_stay_pleasant() -> None:
    assert not [name for name, lines in _functions() if lines > 60]
    assert not [path.name for path in PACKAGE.rglob("*.py") if len(path.read_text().splitlines()) > 400]


def test_broad_except_stands_at_four_known_places() -> None:
    """The boundary, the batch's one candidate, a gate that fails and so holds, the writer that hands an error to its job's caller."""
    places = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and isinstance(node.type, ast.Name)
        and node.type.id in ("Exception", "BaseException")
        and not any(isinstance(child, ast.Raise) for child in node.body[-1:])
    }
    assert places == {"cli/main.py", "batch.py", "screening.py", "store/writer.py"}
