import type { ProviderType } from './provider-type.ts';
import { azureDevops } from './types/azure-devops.ts';
import { azureDevopsEntra } from './types/azure-devops-entra.ts';
import { bitbucketCloud } from './types/bitbucket-cloud.ts';
import { bitbucketServer } from './types/bitbucket-server.ts';
import { generic } from './types/generic.ts';
import { gitea } from './types/gitea.ts';
import { github } from './types/github.ts';
import { gitlab } from './types/gitlab.ts';
import { jfrog } from './types/jfrog.ts';
import { slack } from './types/slack.ts';

/** Every type. One that is not listed is generic, which comes last. */
export const providerTypes: ProviderType[] = [
  azureDevops,
  azureDevopsEntra,
  bitbucketCloud,
  bitbucketServer,
  gitea,
  github,
  gitlab,
  jfrog,
  slack,
  generic,
];

/** The type that TYPE names: anything unknown is generic OAuth 2. */
export function findProviderType(name: string): ProviderType {
  return providerTypes.find(({ names }) => names.includes(name)) ?? generic;
}
