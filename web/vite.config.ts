import react from '@vitejs/plugin-react';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Decoders of transfer syntaxes that the delivery service never sends: it serves HTJ2K and
 * Explicit VR Little Endian only. Leaving them out saves three megabytes of WebAssembly. */
const UNUSED_DECODERS =
  /\/(decodeJPEGLS|decodeJPEG2000|decodeJPEGXL|decodeJPEGLossless|decodeJPEGBaseline8Bit|decodeJPEGBaseline12Bit-js|decodeDeflatedFrame|decodeRLE|decodeBigEndian)\.js$/;

function onlyNeededDecoders(): Plugin {
  return {
    name: 'only-needed-decoders',
    enforce: 'pre',
    resolveId(source, importer) {
      const fromLoader = importer?.includes('@cornerstonejs/dicom-image-loader');
      return fromLoader && UNUSED_DECODERS.test(source) ? here('./build/absent-decoder.js') : null;
    },
  };
}

export default defineConfig({
  base: './',
  plugins: [onlyNeededDecoders(), react()],
  resolve: {
    alias: {
      // vtk.js pulls an XML reader that needs Node's `events`; no XML is read here.
      xmlbuilder2: here('./build/absent-xml.js'),
    },
  },
  worker: { format: 'es', plugins: () => [onlyNeededDecoders()] },
  optimizeDeps: {
    exclude: ['@cornerstonejs/dicom-image-loader'],
    include: ['dicom-parser', '@cornerstonejs/codec-openjph/wasmjs'],
  },
  server: {
    proxy: {
      '/api': process.env.LEADAPRON_URL ?? 'http://127.0.0.1:8480',
      '/dicom-web': process.env.LEADAPRON_URL ?? 'http://127.0.0.1:8480',
    },
  },
  build: {
    outDir: here('../src/leadapron/app/static'),
    emptyOutDir: true,
    sourcemap: false,
    license: { fileName: 'THIRD-PARTY.md' },
    target: 'es2022',
    chunkSizeWarningLimit: 4096,
    assetsInlineLimit: 0,
  },
  test: { include: ['tests/**/*.test.ts'], environment: 'node' },
});
