import type { Context } from 'hono';
import { html } from 'hono/html';
import { DomainError } from '../errors.ts';
import type { AppEnv } from '../http/app-env.ts';
import { renderPage } from '../http/page.ts';
import { type FlowRefusal, FlowRefused } from './flow.service.ts';
import { ForeignAnswer, type Provider, ProviderFailure } from './providers/provider.ts';

const TITLES: Record<FlowRefusal, string> = {
  UNKNOWN: 'This sign-in is unknown',
  EXPIRED: 'This sign-in has expired',
  USED: 'This sign-in was used already',
  ENDED: 'This sign-in has ended',
  OTHER_BROWSER: 'This is another browser',
  OTHER_USER: 'This is another user',
  OTHER_PROVIDER: 'This is another provider',
  SIGNED_OUT: 'You are signed out',
};

/** A page that says why no account was linked. */
export interface FlowFault {
  status: number;
  title: string;
  message: string;
}

/** @returns null when the error is not one to show */
export function faultOf(
  error: unknown,
  { settings: { displayName } }: Provider,
  callback?: URL,
): FlowFault | null {
  if (error instanceof FlowRefused) {
    const { status, message, refusal } = error;
    return { status, message, title: TITLES[refusal] };
  }
  if (error instanceof ForeignAnswer) {
    return { status: 401, title: 'This answer is for another sign-in', message: error.message };
  }
  if (error instanceof ProviderFailure) {
    const { message, oauthError, transient } = error;
    // The callback itself said no: that is an answer, and nobody's failure.
    if (callback?.searchParams.has('error') && !transient) {
      return oauthError === 'access_denied'
        ? { status: 400, title: 'Access was denied', message }
        : { status: 400, title: `${displayName} said no`, message };
    }
    return { status: 502, title: `${displayName} failed`, message };
  }
  return error instanceof DomainError && error.status < 500
    ? { status: error.status, title: 'No account was linked', message: error.message }
    : null;
}

export function renderFault(
  c: Context<AppEnv>,
  { status, title, message }: FlowFault,
  provider: Provider,
): Promise<Response> {
  const viewer = c.get('viewer');
  const { id, displayName } = provider.settings;
  return renderPage(c, {
    status,
    title,
    body: html`<p>${message}</p>
<p>No account at ${displayName} was linked.${viewer && html` You are signed in as <strong>${viewer.user.username}</strong>.`}</p>
<p><a class="button" href="/external-auth/${id}">Try again</a></p>
<p>If another application sent you here, go back to it and start there.</p>`,
  });
}

export function renderUnknownProvider(c: Context<AppEnv>): Promise<Response> {
  return renderPage(c, {
    status: 404,
    title: 'There is no such provider',
    body: html`<p>Nobody has configured a provider with this id, or it was removed.</p>
<p><a href="/">Start page</a></p>`,
  });
}

/** Asks whether the person means it: see trusted-navigation.ts. */
export function renderConfirmation(
  c: Context<AppEnv>,
  provider: Provider,
  { username, flowId, token }: { username: string; flowId: string; token: string },
): Promise<Response> {
  const { id, displayName } = provider.settings;
  return renderPage(c, {
    title: `Link your ${displayName} account?`,
    // From here to the provider.
    formLeadsAway: true,
    body: html`<p>Your account at ${displayName} will be linked to the Gatehouse user <strong>${username}</strong>, who can
then act at ${displayName} in your name. Go on only if that is you, and you have just asked for it.</p>
<form method="post" action="/external-auth/${id}/start">
<input type="hidden" name="flow" value="${flowId}">
<input type="hidden" name="token" value="${token}">
<button>Link to ${username}</button>
</form>
<p>If somebody sent you this link, close this page: nothing is linked then.</p>`,
  });
}
