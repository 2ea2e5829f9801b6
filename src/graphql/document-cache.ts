import type { DocumentNode } from 'graphql';

/** As Yoga asks for it. */
export interface DocumentCache {
  get: (text: string) => DocumentNode | undefined;
  set: (text: string, document: DocumentNode) => void;
}

/**
 * Keeps parsed documents, those last used longest. A parsed document takes up to 200 bytes for each character of
 * its text, so a cache that counts documents lets a stranger, who need not be signed in, fill the memory with some
 * hundred large ones. This one counts characters, and does not keep what is large on its own.
 */
export function createDocumentCache(maxCharacters: number): DocumentCache {
  // A Map keeps the order in which keys were set.
  const documents = new Map<string, DocumentNode>();
  let characters = 0;

  return {
    get(text) {
      const document = documents.get(text);
      if (document) {
        documents.delete(text);
        documents.set(text, document);
      }
      return document;
    },
    set(text, document) {
      if (text.length > maxCharacters / 16 || documents.has(text)) return;
      documents.set(text, document);
      characters += text.length;
      for (const oldest of documents.keys()) {
        if (characters <= maxCharacters) return;
        documents.delete(oldest);
        characters -= oldest.length;
      }
    },
  };
}
