import './styles/app.css';
import './app/i18n';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { resumeSignIn } from './api/me';
import { App } from './app/App';
import { applyTheme } from './app/theme';

applyTheme();

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root');
if (!resumeSignIn()) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
