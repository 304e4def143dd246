import { ABCWidgetFactory, DocumentWidget, type DocumentRegistry } from '@jupyterlab/docregistry';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';
import { ErrorNotice } from '../ui/error-notice';
import { useSignal } from '../ui/use-signal';
import { ArrayView } from './array-view';
import { readNpy } from './npy';

/** Shows files that numpy.save wrote, in previews and in tabs; Lab has no viewer for them. */
export class ArrayViewerFactory extends ABCWidgetFactory<DocumentWidget> {
  constructor(
    private readonly _trans: TranslationBundle,
    options: DocumentRegistry.IWidgetFactoryOptions<DocumentWidget>
  ) {
    super(options);
  }

  protected createNewWidget(context: DocumentRegistry.Context): DocumentWidget {
    const content = ReactWidget.create(<ArrayFile context={context} trans={this._trans} />);
    content.addClass('jp-Labscale-Array-document');
    return new DocumentWidget({ content, context });
  }
}

interface IArrayFileProps {
  context: DocumentRegistry.Context;
  trans: TranslationBundle;
}

function ArrayFile(props: IArrayFileProps): JSX.Element {
  const { context, trans } = props;
  useSignal(context.model.contentChanged);
  const [ready, setReady] = React.useState(context.isReady);
  React.useEffect(() => {
    void context.ready.then(() => setReady(true));
  }, [context]);
  const text = ready ? context.model.toString() : '';
  const read = React.useMemo(() => {
    if (text === '') return null;
    try {
      return { array: readNpy(Uint8Array.from(atob(text), (c) => c.charCodeAt(0))), error: null };
    } catch (error) {
      return { array: null, error };
    }
  }, [text]);
  if (!read) return <></>;
  return read.array ? <ArrayView array={read.array} trans={trans} /> : <ErrorNotice error={read.error} trans={trans} />;
}
