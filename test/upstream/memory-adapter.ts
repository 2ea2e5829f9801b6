/** What oidc-provider keeps, by the names that it uses for it. */
interface Payload {
  grantId?: string;
  userCode?: string;
  uid?: string;
  consumed?: number;
}

/**
 * A store of its own for each upstream. The one that oidc-provider brings is shared by all of a process and forgets
 * the oldest of 1000 entries, which loses tokens in tests with many users.
 */
export function createMemoryAdapter(): new (model: string) => object {
  const entries = new Map<string, Payload>();
  return class MemoryAdapter {
    readonly model: string;

    constructor(model: string) {
      this.model = model;
    }

    async upsert(id: string, payload: Payload): Promise<void> {
      entries.set(`${this.model}:${id}`, payload);
    }
    async find(id: string): Promise<Payload | undefined> {
      return entries.get(`${this.model}:${id}`);
    }
    async findByUserCode(userCode: string): Promise<Payload | undefined> {
      return this.all().find((payload) => payload.userCode === userCode);
    }
    async findByUid(uid: string): Promise<Payload | undefined> {
      return this.all().find((payload) => payload.uid === uid);
    }
    async consume(id: string): Promise<void> {
      const payload = entries.get(`${this.model}:${id}`);
      if (payload) payload.consumed = Math.floor(Date.now() / 1_000);
    }
    async destroy(id: string): Promise<void> {
      entries.delete(`${this.model}:${id}`);
    }
    async revokeByGrantId(grantId: string): Promise<void> {
      for (const [key, payload] of entries) if (payload.grantId === grantId) entries.delete(key);
    }

    private all(): Payload[] {
      return [...entries].flatMap(([key, payload]) => (key.startsWith(`${this.model}:`) ? [payload] : []));
    }
  };
}
