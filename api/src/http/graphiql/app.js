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

  async function send(parameters, given) {
    const headers = {
      accept: "application/graphql-response+json, application/json;q=0.9",
      "content-type": "application/json",
    };
    if (token.value) headers.authorization = `Bearer ${token.value}`;
    for (const [name, value] of Object.entries(given ?? {})) headers[name.toLowerCase()] = value;
    const body = JSON.stringify({ ...parameters, variables: filled(parameters.variables) });
    const response = await fetch(endpoint, { method: "POST", headers, body });
    return { response, usedBox: headers.authorization === `Bearer ${token.value}` };
  }

  async function fetcher(parameters, options) {
    let { response, usedBox } = await send(parameters, options?.headers);
    if (response.status === 401 && usedBox) {
      token.value = "";
      notice.value = "The access token had ended: sign in again.";
      ({ response } = await send(parameters, options?.headers));
    }
    return remember(await response.json());
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
