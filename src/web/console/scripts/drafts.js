// Texts that are being written are kept here until the service has them, and there until they are sent.

const key = (id) => 'firstline-draft-' + id;

/** What is kept in this browser for a case, if anything. */
export function kept(id) {
  try {
    return JSON.parse(localStorage.getItem(key(id)));
  } catch {
    return null;
  }
}

export function keep(id, draft) {
  try {
    localStorage.setItem(key(id), JSON.stringify(draft));
  } catch {
    // A full or forbidden storage: the service still keeps it.
  }
}

export function drop(id) {
  try {
    localStorage.removeItem(key(id));
  } catch {
    // As above.
  }
}
