// GraphiQL with a token box. No inline code: the page's policy forbids it.
"use strict";

(() => {
  const endpoint = location.pathname;
  const notice = document.getElementById("notice");

  /** An input of the bar, kept for this browser tab only. */
  function box(id) {
    const input = document.getElementById(id);
    const key = `eventgallery.${id}`;
    input.value = sessionStorage.getItem(key) ?? "";
    input.addEventListener("input", () => sessionStorage.setItem(key, input.value.trim()));
    return {
      get value() {
        return input.value.trim();
      },
      set value(text) {
        input.value = text;
        sessionStorage.setItem(key, text);
      },
    };
  }

  const token = box("token");
  const gallery = box("gallery");
  const photo = box("photo");

  /** Puts the bar's ids where variables name them, so that one example leads to the next. */
  function filled(variables) {
    if (!variables) return variables;
    const text = JSON.stringify(variables)
      .replaceAll('"$GALLERY_ID"', JSON.stringify(gallery.value))
      .replaceAll('"$PHOTO_ID"', JSON.stringify(photo.value));
    return JSON.parse(text);
  }

  /** Takes tokens and ids out of what mutations answered. */
  function remember(answer) {
    for (const payload of Object.values(answer?.data ?? {})) {
      if (typeof payload?.accessToken === "string") {
        token.value = payload.accessToken;
        notice.value = "The access token is set.";
      }
      const madeGallery = payload?.gallery?.id;
      if (typeof madeGallery === "string") gallery.value = madeGallery;
      const madePhoto = payload?.results?.[0]?.photo?.id;
      if (typeof madePhoto === "string") photo.value = madePhoto;
    }
    return answer;
  }

  async function send(parameters, given, more) {
    const headers = {
      accept: "application/graphql-response+json, application/json;q=0.9",
      "content-type": "application/json",
      ...more?.headers,
    };
    if (token.value) headers.authorization = `Bearer ${token.value}`;
    for (const [name, value] of Object.entries(given ?? {})) headers[name.toLowerCase()] = value;
    const body = JSON.stringify({ ...parameters, variables: filled(parameters.variables) });
    const response = await fetch(endpoint, { method: "POST", headers, body, signal: more?.signal });
    return { response, usedBox: headers.authorization === `Bearer ${token.value}` };
  }

  /** Sends with the token of the bar, and once more without it where it has ended. */
  async function ask(parameters, given, more) {
    const { response, usedBox } = await send(parameters, given, more);
    if (response.status !== 401 || !usedBox) return response;
    token.value = "";
    notice.value = "The access token had ended: sign in again.";
    return (await send(parameters, given, more)).response;
  }

  /** GraphiQL reads a text a moment after it opened. Run before that, it names the operation of the last tab, which
      this text does not have. */
  function isStale({ query, operationName }) {
    return Boolean(operationName) && !new RegExp(`\\b${operationName}\\b`).test(query);
  }

  /** Whether the operation that runs has many answers. */
  function isSubscription({ query, operationName }, document) {
    if (isStale({ query, operationName })) return /^\s*subscription\b/m.test(query);
    const operation = document?.definitions.find(
      ({ kind, name }) =>
        kind === "OperationDefinition" && (!operationName || name?.value === operationName),
    );
    return operation?.operation === "subscription";
  }

  /** The answers of an event stream: blocks of lines, with an empty line after each. */
  async function* answers(response) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        notice.value = "The server ended the stream: run it again, from the last cursor.";
        return;
      }
      text += value;
      const blocks = text.split("\n\n");
      text = blocks.pop();
      for (const block of blocks) {
        if (block.startsWith("event: complete")) return;
        const data = block.match(/^event: next\ndata: (.*)$/)?.[1];
        if (data) yield JSON.parse(data);
      }
    }
  }

  /** Follows a subscription over server-sent events, until GraphiQL's stop button calls `return`. */
  function follow(parameters, given) {
    const control = new AbortController();
    const more = { headers: { accept: "text/event-stream" }, signal: control.signal };
    const events = (async function* () {
      try {
        const response = await ask(parameters, given, more);
        if (response.headers.get("content-type")?.startsWith("text/event-stream")) {
          yield* answers(response);
        } else {
          yield await response.json();
        }
      } catch (error) {
        if (!control.signal.aborted) throw error;
      }
    })();
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: () => events.next(),
      return() {
        // A generator that waits for the next event would not hear of `return`.
        control.abort();
        return events.return();
      },
    };
  }

  function fetcher(given, options) {
    const parameters = isStale(given) ? { ...given, operationName: undefined } : given;
    if (isSubscription(given, options?.documentAST)) {
      return follow(parameters, options?.headers);
    }
    return ask(parameters, options?.headers)
      .then((response) => response.json())
      .then(remember);
  }

  document.getElementById("bar").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("examples-again").addEventListener("click", () => {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith("graphiql:")) localStorage.removeItem(key);
    }
    location.reload();
  });

  async function start() {
    const examples = await fetch(document.getElementById("examples").href);
    const defaultTabs = (await examples.json()).map(({ query, variables }) => ({ query, variables }));
    // GraphiQL shows the first tab without its variables unless they come on their own; kept tabs
    // know theirs.
    const isFirstVisit = localStorage.getItem("graphiql:tabState") === null;
    const variables = isFirstVisit ? defaultTabs[0].variables : undefined;
    const root = ReactDOM.createRoot(document.getElementById("graphiql"));
    root.render(
      React.createElement(GraphiQL, {
        fetcher,
        defaultTabs,
        variables,
        defaultEditorToolsVisibility: "variables",
      }),
    );
  }

  start().catch((error) => {
    notice.value = `GraphiQL cannot start: ${error.message}`;
  });
})();
