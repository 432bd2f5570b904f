// What goes over the line, in words: `POST hash text: 200`, or with the code of the first error.
import assert from 'node:assert/strict';

const NAMES = {
  hash: ({ extensions }) => extensions?.persistedQuery,
  documentId: ({ documentId }) => documentId,
  doc_id: ({ doc_id: id }) => id,
  text: ({ query }) => query,
};

function asked(url, { method, body }) {
  if (method === 'POST') return JSON.parse(body);
  const given = Object.fromEntries(new URL(url).searchParams);
  return { ...given, extensions: given.extensions && JSON.parse(given.extensions) };
}

/** A `fetch` that remembers. */
export class Recorder {
  #sent = [];

  fetch = async (url, options) => {
    const response = await fetch(url, options);
    const parameters = asked(url, options);
    const names = Object.keys(NAMES).filter((name) => NAMES[name](parameters));
    const { errors } = await response.clone().json();
    const code = errors ? ` ${errors[0].extensions.code}` : '';
    this.#sent.push(`${options.method} ${names.join(' ')}: ${response.status}${code}`);
    return response;
  };

  /** Checks what was sent since the last look. */
  sent(...expected) {
    assert.deepEqual(this.#sent.splice(0), expected);
  }
}
