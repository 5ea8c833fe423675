// Sends one form with a file and tells how far it is. XMLHttpRequest, because fetch cannot say how
// much of a body has left.

/// What the server says of a failure, or a sentence of ours where it says nothing.
function reason(request) {
  try {
    const { detail, title } = JSON.parse(request.responseText);
    if (detail ?? title) return detail ?? title;
  } catch {
    // Not one of our answers, such as a proxy's page.
  }
  switch (request.status) {
    case 401:
      return "You are no longer signed in. Sign in in another tab, then try again.";
    case 403:
      return "You may not do this, or the page is too old. Reload it and try again.";
    case 413:
      return "This file is larger than the server takes.";
    case 429:
    case 503:
      return "The server is busy. Try again in a minute.";
    case 507:
      return "The server has no room left. Tell your administrator.";
    default:
      return `The server could not take it (${request.status}). Try again.`;
  }
}

/// Sends `data` and returns `{ done, abort }`; `done` becomes the server's answer, or fails with a
/// sentence. `onProgress` gets the share that has left, from 0 to 1.
export function send(url, data, onProgress) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.open("POST", url);
    request.responseType = "text";
    request.setRequestHeader("Accept", "application/json");
    const token = document.querySelector("meta[name=csrf-token]")?.content;
    if (token) request.setRequestHeader("X-CSRF-Token", token);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable && event.total > 0) onProgress(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      if (request.status < 200 || request.status > 299) return reject(new Error(reason(request)));
      try {
        resolve(JSON.parse(request.responseText));
      } catch {
        resolve({});
      }
    });
    request.addEventListener("error", () => {
      reject(new Error("The connection broke off. Try again."));
    });
    request.addEventListener("abort", () => reject(new DOMException("Cancelled", "AbortError")));
    request.send(data);
  });
  return { done, abort: () => request.abort() };
}
