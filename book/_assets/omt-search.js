// Search in Chinese as in English. Sphinx cuts a query at spaces, and Chinese has none: a run of Chinese is cut
// here into the longest words that the index knows, as jieba cut the pages. Loaded before Sphinx's searchtools.js.
"use strict";

var splitQuery = (query) => {
  const known = (word) => {
    const index = typeof Search === "undefined" ? null : Search._index;
    return Boolean(index) && (Object.hasOwn(index.terms, word) || Object.hasOwn(index.titleterms, word));
  };
  const words = [];
  for (const piece of query.split(/[^\p{Letter}\p{Number}_]+/gu).filter(Boolean)) {
    for (const run of piece.match(/\p{Script=Han}+|\P{Script=Han}+/gu)) {
      if (!/\p{Script=Han}/u.test(run)) words.push(run);
      else words.push(...longest(run, known));
    }
  }
  return words;
};

// Chapters before the glossary, and both before names of the package: a reader looks for a page to read.
var Scorer = {
  score: ([docname, , , description, score]) => {
    const place = /^(part|play|zh)/.test(docname) ? 3 : /^(glossary|what-breaks)/.test(docname) ? 1 : 0;
    const entry = score >= 50; // of the index or of the glossary
    return score + (entry ? place : place / 6) - (description && !entry ? 8 : 0); // a description is that of an object
  },
  objNameMatch: 11, objPartialMatch: 6, objPrio: { 0: 15, 1: 5, 2: -5 }, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
};

// The longest known word from the left, again and again; what no word begins with is passed over.
function longest(run, known) {
  if (run.length < 3 || known(run)) return [run];
  const found = [];
  let k = 0;
  while (k < run.length) {
    let end = run.length;
    while (end > k + 1 && !known(run.slice(k, end))) end -= 1;
    if (end > k + 1) found.push(run.slice(k, end));
    k = Math.max(end, k + 1);
  }
  return found.length ? found : [run];
}
