import {
  cache,
  Enums,
  eventTarget,
  imageLoader,
  metaData,
  RenderingEngine,
  utilities,
} from '@cornerstonejs/core';
import type { Types } from '@cornerstonejs/core';
import cornerstoneLoader from '@cornerstonejs/dicom-image-loader';
import {
  Enums as ToolEnums,
  PanTool,
  ToolGroupManager,
  WindowLevelTool,
  ZoomTool,
} from '@cornerstonejs/tools';
import { Problem } from '../api/problem';
import { lastFailure, startCornerstone } from './cornerstone';
import { affineFrom, scaleOf } from './geometry';
import type { Affine } from './geometry';
import type { DicomJson } from './dicomweb';

export type DragTool = 'window' | 'zoom' | 'pan';

const TOOL_NAME: Record<DragTool, string> = {
  window: WindowLevelTool.toolName,
  zoom: ZoomTool.toolName,
  pan: PanTool.toolName,
};

/** What the display shows now: window, screen pixels per film pixel, and pixel → canvas. */
export interface Display {
  width: number;
  level: number;
  zoom: number;
  invert: boolean;
  affine: Affine;
}

let counter = 0;

/** One film in one element. Everything that touches cornerstone goes through here. */
export class Film {
  private readonly id = `film-${++counter}`;
  private engine: RenderingEngine | null = null;
  private gone = false;
  private imageId = '';
  private fileRange: Types.VOIRange | undefined;

  constructor(
    private readonly element: HTMLDivElement,
    private readonly onDisplay: (display: Display) => void,
  ) {}

  /** Loads and shows the frame. Rejects with a Problem when there is nothing to show. */
  async show(instance: string, metadata: DicomJson, onLoaded: (share: number) => void): Promise<void> {
    await startCornerstone();
    if (this.gone) return;
    this.imageId = `wadors:${location.origin}${instance}/frames/1`;
    cornerstoneLoader.wadors.metaDataManager.add(this.imageId, metadata as never);
    await this.load(onLoaded);
    if (this.gone) return forget(this.imageId);
    this.engine = new RenderingEngine(this.id);
    this.engine.enableElement({
      viewportId: this.id,
      type: Enums.ViewportType.STACK,
      element: this.element,
      defaultOptions: { background: [0, 0, 0] },
    });
    this.element.tabIndex = 0; // The engine takes its element out of the tab order.
    // The frame is already in the cache: setStack itself would hide a failure to load.
    await this.viewport.setStack([this.imageId]);
    if (this.gone) return;
    this.fileRange = this.viewport.getProperties().voiRange;
    this.bindTools();
    this.element.addEventListener(Enums.Events.CAMERA_MODIFIED, this.report);
    this.element.addEventListener(Enums.Events.VOI_MODIFIED, this.report);
    this.viewport.render();
    this.report();
  }

  private async load(onLoaded: (share: number) => void): Promise<void> {
    const progress = (event: Event) => {
      const { detail } = event as CustomEvent<{ imageId: string; percentComplete?: number }>;
      if (detail.imageId === this.imageId) onLoaded((detail.percentComplete ?? 0) / 100);
    };
    lastFailure.problem = null;
    eventTarget.addEventListener('cornerstoneimageloadprogress', progress);
    try {
      await imageLoader.loadAndCacheImage(this.imageId);
      onLoaded(1);
    } catch (error) {
      throw lastFailure.problem ?? new Problem(422, 'undecodable', String(error));
    } finally {
      eventTarget.removeEventListener('cornerstoneimageloadprogress', progress);
    }
  }

  private get viewport(): Types.IStackViewport {
    return this.engine!.getViewport(this.id) as Types.IStackViewport;
  }

  private bindTools(): void {
    const group = ToolGroupManager.createToolGroup(this.id)!;
    Object.values(TOOL_NAME).forEach((name) => group.addTool(name));
    group.addViewport(this.id, this.id);
    this.use('window');
  }

  /** Gives the primary button to a tool; the others stay on their own buttons. */
  use(tool: DragTool): void {
    const group = ToolGroupManager.getToolGroup(this.id);
    if (!group) return;
    const { MouseBindings } = ToolEnums;
    const own: Record<DragTool, { mouseButton?: number; numTouchPoints?: number }[]> = {
      window: [],
      zoom: [{ mouseButton: MouseBindings.Secondary }, { mouseButton: MouseBindings.Wheel }],
      pan: [{ mouseButton: MouseBindings.Auxiliary }, { numTouchPoints: 2 }],
    };
    for (const name of ['window', 'zoom', 'pan'] as const) {
      group.setToolPassive(TOOL_NAME[name], { removeAllBindings: true });
      const bindings = [...own[name], ...(name === tool ? [{ mouseButton: MouseBindings.Primary }] : [])];
      if (bindings.length) group.setToolActive(TOOL_NAME[name], { bindings });
    }
  }

  invert(): void {
    if (!this.engine) return;
    const { invert } = this.viewport.getProperties();
    this.viewport.setProperties({ invert: !invert });
    this.viewport.render();
    this.report();
  }

  /** Back to the file's window and the whole film. Not `resetProperties()`: that forgets the
   * file's polarity. */
  reset(): void {
    if (!this.engine) return;
    this.viewport.setProperties({
      invert: false,
      ...(this.fileRange ? { voiRange: this.fileRange } : {}),
    });
    this.viewport.resetCamera();
    this.viewport.render();
    this.report();
  }

  /** Multiplies the zoom, for the keyboard. */
  scale(factor: number): void {
    if (!this.engine) return;
    this.viewport.setZoom(this.viewport.getZoom() * factor);
    this.viewport.render();
    this.report();
  }

  /** One film pixel on one screen pixel. */
  actualSize(): void {
    if (this.engine) this.scale(1 / (scaleOf(this.pixelToCanvas()) * devicePixelRatio));
  }

  /** Moves the film by canvas pixels, for the keyboard. */
  move(dx: number, dy: number): void {
    if (!this.engine) return;
    const [x, y] = this.viewport.getPan();
    this.viewport.setPan([x + dx, y + dy]);
    this.viewport.render();
    this.report();
  }

  resize(): void {
    if (!this.engine) return;
    this.engine.resize(true, true);
    this.report();
  }

  private readonly report = (): void => {
    if (!this.engine) return;
    const { voiRange, invert } = this.viewport.getProperties();
    const window = voiRange
      ? utilities.windowLevel.toWindowLevel(voiRange.lower, voiRange.upper)
      : { windowWidth: 0, windowCenter: 0 };
    const affine = this.pixelToCanvas();
    this.onDisplay({
      width: window.windowWidth,
      level: window.windowCenter,
      zoom: scaleOf(affine) * devicePixelRatio,
      invert: Boolean(invert),
      affine,
    });
  };

  /** Pixel coordinates (column, row; a pixel's centre is a whole number) to canvas. */
  private pixelToCanvas(): Affine {
    const place = metaData.get('imagePlaneModule', this.imageId) as { rows: number } | undefined;
    const far = place?.rows ?? 1000;
    // imageToWorldCoords counts from the corner of the first pixel, outlines from its centre.
    const at = (column: number, row: number) =>
      this.viewport.worldToCanvas(
        utilities.imageToWorldCoords(this.imageId, [column + 0.5, row + 0.5]) as Types.Point3,
      ) as [number, number];
    return affineFrom(at(0, 0), at(far, 0), at(0, far), far);
  }

  destroy(): void {
    this.gone = true;
    this.element.removeEventListener(Enums.Events.CAMERA_MODIFIED, this.report);
    this.element.removeEventListener(Enums.Events.VOI_MODIFIED, this.report);
    ToolGroupManager.destroyToolGroup(this.id);
    this.engine?.destroy();
    this.engine = null;
    if (this.imageId) forget(this.imageId);
  }
}

/** A view is one copy: nothing of it stays behind for the next one. */
function forget(imageId: string): void {
  cornerstoneLoader.wadors.metaDataManager.remove(imageId);
  if (cache.getImageLoadObject(imageId)) cache.removeImageLoadObject(imageId, { force: true });
}
