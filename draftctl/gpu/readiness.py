"""Is the server there, with the right build, and does it complete? In this order: `/health`, `/v1/models`, a completion of one token.

`/health` alone stays 200 on a broken GPU, and the list of models never changes while the server lives; the completion is what counts.
"""

import httpx

TIMEOUT_S = 60.0
_OK = 200


def not_ready(url: str, engine_id: str, api_key: str, *, timeout_s: float = TIMEOUT_S) -> str | None:
    """Return why the server cannot be used yet, as a sentence; None when it can."""
    headers = {"Authorization": f"Bearer {api_key}"}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=timeout_s, trust_env=False) as client:
            health = client.get("/health")
            if health.status_code != _OK:
                return f"The server answers {health.status_code} to /health."
            listed = client.get("/v1/models").json()
            ids = [str(model.get("id")) for model in listed.get("data", [])]
            if engine_id not in ids:
                return f"The server lists {', '.join(ids) or 'nothing'}, not {engine_id}."
            body = {"model": engine_id, "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 1}
            answer = client.post("/v1/chat/completions", json=body)
            if answer.status_code != _OK:
                return f"The server answers {answer.status_code} to a completion of one token."
            if answer.json().get("model") != engine_id:
                return f"The completion came from {answer.json().get('model')!r}."
    except (httpx.HTTPError, ValueError, AttributeError) as error:
        return f"The server does not answer ({type(error).__name__})."
    return None
