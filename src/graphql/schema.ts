import './scalars.ts';
import './errors.ts';
import '../accounts/user.type.ts';
import '../accounts/accounts.mutations.ts';
import { builder } from './builder.ts';

export const schema = builder.toSchema({ sortSchema: true });
