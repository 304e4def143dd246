import { ProblemError } from '../../problem-error.js';
import type { ObjectStore } from '../../objects/object-store.js';
import type { RunOrder, TaskOrder } from '../runner.js';
import type { Program } from './job-manifest.js';
import { allowsImage, type Profile } from './profile.js';

/** Of plan.json what says how tasks are run. */
interface PlanOfContainer {
  image: { reference: string; entrypoint: string[]; workingDirectory: string | null };
  /** By parameter set version: finished arguments. */
  argumentsBySet: Record<string, string[]>;
}

/** How the tasks of a run are run, and where what they need of its analysis lies. Raises an error where its plan is not in the object store. */
export async function readPrograms(
  objects: ObjectStore,
  order: RunOrder,
  profile: Profile
): Promise<{ programOf: (task: TaskOrder) => Program; analysisFolder: string }> {
  const bytes = await objects.get(`runs/${order.runId}/plan.json`);
  if (bytes === undefined) throw new Error(`the plan of ${order.runId} is not in the object store`);
  const { analysis } = JSON.parse(bytes.toString('utf8')) as {
    analysis: { kind: string; digest: string } & PlanOfContainer;
  };
  const analysisFolder = `analyses/${analysis.digest.slice('sha256:'.length)}/`;
  if (analysis.kind !== 'container') {
    const program: Program = { kind: 'worker', image: order.image ?? profile.image, python: order.interpreter };
    return { programOf: () => program, analysisFolder };
  }
  const { image, argumentsBySet } = analysis;
  if (!allowsImage(profile, image.reference)) {
    throw new ProblemError('IMAGE_INVALID', `The image ${image.reference} is not one that the administrator allows.`, {
      mend: `Allow it in the profile, where ${profile.images.join(', ') || 'none'} may be used.`
    });
  }
  const programOf = ({ parameterSetVersionId }: TaskOrder): Program => ({
    kind: 'container',
    image: image.reference,
    entrypoint: image.entrypoint,
    args: argumentsBySet[parameterSetVersionId] ?? [],
    workingDirectory: image.workingDirectory
  });
  return { programOf, analysisFolder };
}
