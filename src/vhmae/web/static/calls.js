// Calls to the server; a call never throws: what went wrong stands in `detail`.

const root = new URL("../../", import.meta.url).pathname; // the pages may lie below a path of somebody else's server

export const here = (path) => root + path.replace(/^\//, "");

async function call(path, options) {
  try {
    const response = await fetch(here(path), options);
    const body = response.status === 204 ? {} : await response.json();
    const said = typeof body.detail === "string" ? body.detail : `the server answered ${response.status}`;
    return { ...body, ok: response.ok, status: response.status, detail: response.ok ? "" : said };
  } catch {
    return { ok: false, status: 0, detail: "The server cannot be reached. Check the connection and try again; nothing is lost." };
  }
}

export const get = (path) => call(path, { cache: "no-store" });

export const post = (path, body) =>
  call(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
