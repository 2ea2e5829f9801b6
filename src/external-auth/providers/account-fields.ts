import { z } from 'zod';

/** A provider's optional text. What is absent or of another kind becomes empty. */
export const textOrNothing = z
  .string()
  .transform((text) =>
    text
      .toWellFormed()
      .replace(/\p{Cc}/gu, '')
      .slice(0, 1_024),
  )
  .catch('');

/** A provider's optional link. It ends up in front ends, so that only http and https get through. */
export const httpUrlOrNothing = z
  .string()
  .max(2_048)
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol))
  .catch('');

/** A number in digits, or text. */
export const accountId = z.union([z.string().min(1), z.number().int().transform(String)]);
