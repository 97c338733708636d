/** The API's shapes under their own names; `types.gen.ts` is generated from openapi.json. */
import type { components } from './types.gen';

type Schemas = components['schemas'];

export type Session = Schemas['Session'];
export type Overview = Schemas['Overview'];
export type WorkItem = Schemas['WorkItem'];
export type OpenedView = Schemas['OpenedView'];
export type Identity = Schemas['Identity'];
export type ViewRow = Schemas['ViewRow'];
export type TraceResult = Schemas['TraceResult'];
export type TracedFilm = Schemas['TracedFilm'];
export type Case = Schemas['Case'];
export type CaseStep = Schemas['CaseStep'];
export type LedgerPage = Schemas['LedgerPage'];
export type LedgerEntry = Schemas['LedgerEntry'];
export type LedgerVerification = Schemas['LedgerVerification'];
export type QuarantineItem = Schemas['QuarantineItem'];
export type Coded = Schemas['Coded'];
export type ReasonText = Schemas['ReasonText'];
export type Approval = Schemas['ApprovalItem'];
export type ApprovalAction = Schemas['ApprovalAction'];
export type KnownIdentity = Schemas['KnownIdentity'];
export type RepairResult = Schemas['RepairResult'];
