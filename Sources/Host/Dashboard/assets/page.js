// What all parts of the page share.

export const $ = (id) => document.getElementById(id);

/** What the last look showed, and a way to look again at once. */
export const page = { overview: null, refresh: async () => {} };
