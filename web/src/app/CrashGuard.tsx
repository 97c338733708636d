import { Component } from 'react';
import type { ErrorInfo, ReactNode } from 'react';
import { ProblemNote } from '../ui/ProblemNote';

/** Shows a remedy instead of a blank page when a component throws. */
export class CrashGuard extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override componentDidCatch(error: Error, info: ErrorInfo) {
    console.error(error, info.componentStack);
  }

  override render() {
    if (!this.state.error) return this.props.children;
    return (
      <main className="crash">
        <ProblemNote error={this.state.error} onRetry={() => location.reload()} />
      </main>
    );
  }
}
