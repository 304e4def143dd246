/** Every command of Labscale. Arguments are described where the command is registered. */
export namespace CommandIDs {
  export const showDatasets = 'labscale:show-datasets';
  export const showParameters = 'labscale:show-parameters';
  export const showRuns = 'labscale:show-runs';

  /** Args: `datasetId`, `versionId?`, `queryId?`, `shardKey?`. */
  export const openDataset = 'labscale:open-dataset';
  /** Args: `path?`. */
  export const registerFolder = 'labscale:register-folder';
  /** Args: `datasetId`, `versionId?`, `filter?`, `folder?` (where the notebook goes). */
  export const openSnippet = 'labscale:open-snippet';
  /** Args: `datasetId`. */
  export const copyLocation = 'labscale:copy-location';
  /** Args: `datasetId`, `versionId?`. */
  export const insertLoadCode = 'labscale:insert-load-code';
  /** Args: `datasetId`. */
  export const checkDataset = 'labscale:check-dataset';
  /** Args: `datasetId`, `filter`, `name?`. */
  export const saveQuery = 'labscale:save-query';
  /** Args: `datasetId`; shows the datasets that runs made from this one. */
  export const showDerivatives = 'labscale:show-derivatives';
  /** Args: `id` of a dataset version, snippet, analysis version, set version or run; `name?`. */
  export const openLineage = 'labscale:open-lineage';

  /** Args: none; works on the current notebook. */
  export const saveParameters = 'labscale:save-parameters';
  /** Args: `parameterSetVersionIds?`, `datasetVersionId?`, `filter?`; without them, from the current notebook. */
  export const promote = 'labscale:promote';
  /** Args: none; goes on to the promote form. */
  export const registerContainer = 'labscale:register-container';
  /** Args: `parameterSetId`; its page. */
  export const openParameterSet = 'labscale:open-parameter-set';
  /** Args: `parameterSetId`. */
  export const deleteParameterSet = 'labscale:delete-parameter-set';
  /** Args: `parameterSetId`, `versionId?`; a notebook with the values in it. */
  export const openParameters = 'labscale:open-parameters';
  /** Args: `versions` (ids of two or more set versions) or `runs`. */
  export const compare = 'labscale:compare';
  /** Args: `parameterSetId`, `versionId?`. */
  export const forkParameters = 'labscale:fork-parameters';
  /** Args: `datasetId`, `versionId` of the set or null. */
  export const setDefaultParameters = 'labscale:set-default-parameters';

  /** Args: `runId`, `taskIndex?`. */
  export const openRun = 'labscale:open-run';
  /** Args: `runId`. */
  export const stopRun = 'labscale:stop-run';
  /** Args: `runId`, `failureGroup?`, `taskIndexes?`. */
  export const retryFailed = 'labscale:retry-failed';
  /** Args: `runId`. */
  export const releaseRun = 'labscale:release-run';
  /** Args: `runId`. */
  export const publishRun = 'labscale:publish-run';

  export const takeTour = 'labscale:take-tour';
}

/** The palette category of all of them. */
export const paletteCategory = 'Labscale';
