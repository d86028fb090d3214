// An OpenID provider for tests: node provider.mjs FOLDER-OF-NODE_MODULES, its settings as JSON on standard input.
// Whoever is among its accounts logs in with any password. It says "listening" when it is.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const library = (...names) => import(pathToFileURL(path.join(process.argv[2], 'oidc-provider', 'lib', ...names)));
const { default: Provider } = await library('index.js');
const { default: MemoryAdapter } = await library('adapters', 'memory_adapter.js');
const settings = JSON.parse(readFileSync(0));
const cookie = (name) => `_${settings.name}_${name}`; // browsers keep one jar for all ports of a host

// Clients come while it runs: an application's address is known once it serves.
const clients = new Map(settings.clients.map((client) => [client.client_id, client]));
class Adapter extends MemoryAdapter {
  async find(id) {
    return this.model === 'Client' ? clients.get(id) : super.find(id);
  }
}

const provider = new Provider(settings.issuer, {
  adapter: Adapter,
  jwks: settings.jwks,
  findAccount: (ctx, sub) => {
    const claims = Object.values(settings.accounts).find((account) => account.sub === sub);
    return claims && { accountId: sub, claims: () => claims };
  },
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name', 'preferred_username'],
    groups: ['groups'],
  },
  scopes: ['openid', 'email', 'profile', 'groups'],
  conformIdTokenClaims: settings.userinfo, // else the ID token says all
  pkce: { required: () => true, methods: ['S256'] },
  cookies: {
    keys: [settings.name],
    names: { session: cookie('session'), interaction: cookie('interaction'), resume: cookie('resume') },
  },
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true, logoutSource: (ctx, form) => {
      ctx.body = page('Log out', `${form}<button form="op.logoutForm" name="logout" value="yes">Log out</button>`);
    } },
  },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256'] },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  loadExistingGrant: async (ctx) => { // nobody is asked for consent
    const grant = new provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid email profile groups');
    await grant.save();
    return grant;
  },
  renderError: (ctx, out) => {
    ctx.type = 'html';
    ctx.body = page('Error', `<p>${out.error}: ${String(out.error_description).replace(/[<&]/g, ' ')}</p>`);
  },
  ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 3600, IdToken: 600, Interaction: 600, Session: 3600 },
});

function page(title, body) {
  return `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
    <title>${title}</title><style>
      :root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
      main { max-width: 22rem; margin: 15vh auto; padding: 0 1rem; }
      label, input { display: block; width: 100%; box-sizing: border-box; margin-bottom: 0.5rem; }
      input, button { padding: 0.5rem; font: inherit; }
    </style><main><h1>${title}</h1>${body}</main></html>`;
}

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  const { uid } = await provider.interactionDetails(ctx.req, ctx.res);
  if (ctx.method === 'GET') {
    ctx.body = page(`Log in at ${settings.name}`, `<form method="post" action="/interaction/${uid}">
      <label>Account <input name="login" autocomplete="username" required autofocus></label>
      <label>Password <input name="password" type="password" autocomplete="current-password"></label>
      <button>Log in</button></form>`);
    return undefined;
  }
  const chunks = [];
  for await (const chunk of ctx.req) chunks.push(chunk);
  const login = new URLSearchParams(Buffer.concat(chunks).toString()).get('login');
  const account = settings.accounts[login];
  const result = account
    ? { login: { accountId: account.sub } }
    : { error: 'access_denied', error_description: 'nobody of that name' };
  return provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: false });
});

provider.use(async (ctx, next) => {
  if (ctx.path !== '/test-client' || ctx.method !== 'PUT') return next();
  const chunks = [];
  for await (const chunk of ctx.req) chunks.push(chunk);
  const client = JSON.parse(Buffer.concat(chunks));
  clients.set(client.client_id, client);
  ctx.status = 204;
  return undefined;
});

provider.listen(settings.port, '127.0.0.1', () => console.log('listening'));
