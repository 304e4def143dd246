import { hash } from 'node:crypto';
import type { Environment, Environments } from '../interpreter.js';
import { allowsImage, type Profile } from './profile.js';

/** On a cluster the image is all that a program runs in: its digest, or where it is named by a tag, that name. */
export class ImageEnvironment implements Environments {
  constructor(private readonly profile: Profile) {}

  async environmentOf(): Promise<Environment> {
    const { image, python } = this.profile;
    const digest = /@(sha256:[0-9a-f]{64})$/.exec(image)?.[1] ?? `sha256:${hash('sha256', image)}`;
    return { interpreter: python, image, digest, packages: { image } };
  }

  allowsImage(reference: string): boolean {
    return allowsImage(this.profile, reference);
  }
}
