// What is the same wherever a passkey is made or shown: JSON on one side, bytes on the other.

const bytes = (text) => Uint8Array.from(
  atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0),
);

const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

export const supported = () => Boolean(window.PublicKeyCredential && navigator.credentials);

export async function make({ publicKey }) {
  const credential = await navigator.credentials.create({
    publicKey: {
      ...publicKey,
      challenge: bytes(publicKey.challenge),
      user: { ...publicKey.user, id: bytes(publicKey.user.id) },
      excludeCredentials: (publicKey.excludeCredentials ?? [])
        .map((known) => ({ ...known, id: bytes(known.id) })),
    },
  });
  return answer(credential, {
    attestationObject: text(credential.response.attestationObject),
  });
}

export async function show({ publicKey }) {
  const credential = await navigator.credentials.get({
    publicKey: { ...publicKey, challenge: bytes(publicKey.challenge), allowCredentials: [] },
  });
  const { authenticatorData, signature, userHandle } = credential.response;
  return answer(credential, {
    authenticatorData: text(authenticatorData),
    signature: text(signature),
    ...(userHandle ? { userHandle: text(userHandle) } : {}),
  });
}

function answer(credential, response) {
  return {
    id: credential.id, rawId: text(credential.rawId), type: credential.type,
    response: { clientDataJSON: text(credential.response.clientDataJSON), ...response },
    clientExtensionResults: {},
  };
}

// Asks our own server; throws an Error with the words for the person.
export async function ask(address, said = {}) {
  let answered;
  try {
    answered = await fetch(address, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(said),
    });
  } catch {
    throw new Error("No connection. Try again.");
  }
  if (answered.status === 401) {
    location.reload(); // the session has ended: the page asks to sign in
    throw new Error("Your session has ended. Sign in again.");
  }
  const content = await answered.json().catch(() => ({}));
  if (!answered.ok) {
    throw new Error([content.title, content.detail].filter(Boolean).join(". ") || "That was refused. Try again.");
  }
  return content;
}

// In words what the browser says when nobody finished, or the authenticator knows nothing.
export function inWords(error) {
  if (!(error instanceof DOMException)) return error.message;
  if (error.name === "InvalidStateError") return "This device holds a passkey of yours already.";
  if (error.name === "NotAllowedError") return "Nothing was shown: it was closed, took too long, or there is no passkey for this page here.";
  return "The browser could not use a passkey here.";
}
