/// <reference types="vitest/config" />
import { fileURLToPath } from 'node:url';
import { transformAsync } from '@babel/core';
import { lingui } from '@lingui/vite-plugin';
import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';
import { LATER } from './lingui.config.ts';

// In a built client a file whose words come later brings them along; tests and
// the development server have them in the sources.
function bringsWords(id: string): boolean {
  return process.env.NODE_ENV === 'production' && LATER.some((place) => id.includes(`/web/${place}`));
}

// Lingui's macros turn `t` and `<Trans>` into message ids. They are a Babel
// plugin, and Babel is slow, so only files that import a macro pass through it.
function linguiMacros(): Plugin {
  return {
    name: 'happening:lingui-macros',
    enforce: 'pre',
    async transform(code, id) {
      if (!/\.tsx?$/.test(id) || !/@lingui\/(core|react)\/macro/.test(code)) return null;
      const result = await transformAsync(code, {
        filename: id,
        babelrc: false,
        configFile: false,
        sourceMaps: true,
        parserOpts: { plugins: ['typescript', 'jsx'] },
        plugins: ['@lingui/babel-plugin-lingui-macro'],
      });
      if (!result?.code) return null;
      // Behind the code, where it moves no line; imports come first anyway.
      const words = bringsWords(id) ? "\nimport '@/app/laterWords';" : '';
      return { code: result.code + words, map: result.map };
    },
  };
}

// A development server needs the Go server beside it; the built client is
// served by it.
const server = process.env.HAPPENING_DEV_SERVER ?? 'http://127.0.0.1:3000';

export default defineConfig({
  plugins: [linguiMacros(), lingui(), react(), tailwindcss()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    // light-dark() and nesting go out as written; these browsers know them.
    target: ['chrome123', 'edge123', 'firefox121', 'safari17.5'],
    // The content security policy allows no data: URLs, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      '/api': server,
      '/auth': server,
      '/idp': server,
      '/connection': { target: server, ws: true },
    },
  },
  test: {
    environment: 'node',
    setupFiles: ['./src/testSetup.ts'],
    include: ['src/**/*.test.{ts,tsx}'],
    // A test that takes longer hangs; on a busy machine all take longer than alone.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
