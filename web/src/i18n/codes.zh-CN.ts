import { codes as identityCodes } from './approvals.zh-CN';
interface Words {
  message: string;
  remedy: string;
}

const REFUSED = '访问策略不允许此操作。';

/** Refusals whose reasons come with the answer; what to do depends on the reason. */
function refusals(remedy: string, codes: readonly string[]): Record<string, Words> {
  return Object.fromEntries(codes.map((code) => [code, { message: REFUSED, remedy }]));
}

/** Chinese for the API's stable problem codes; an unknown code shows the server's sentence.
 * English needs none: the server speaks it. */
export const codes: Record<string, Words> = {
  ...identityCodes,
  ...refusals('请联系申请科室，开立指定您和本次检查的检查申请单。', [
    'no-order',
    'order-names-others',
    'order-other-patient',
    'order-other-study',
    'order-not-active',
    'order-not-yet-valid',
    'order-expired',
    'need-unknown',
    'region-not-granted',
    'region-not-on-film',
    'no-region',
  ]),
  ...refusals('请联系持有全片阅片申请单的放射科医生。', ['film-out-of-domain']),
  ...refusals('请等待权限恢复；危急情况下使用紧急调阅。', ['breaker-open']),
  ...refusals('如有疑问，请联系个人信息保护负责人。', [
    'recipient-inactive',
    'view-revoked',
    'role-sees-no-pixels',
    'role-not-permitted',
    'policy-forbids',
    'break-glass-reason-missing',
    'purpose-missing',
  ]),
  ...refusals('请联系 PACS 管理员检查策略引擎。', ['no-decision']),
  'too-many-traces': {
    message: '本小时可溯源的图片数已用完。',
    remedy: '请稍后再试；上限由设置 trace_per_hour 与 trace_per_hour_all 决定，每次触发都已存证。',
  },
  'second-person-missing': {
    message: '该结果尚待第二人确认。',
    remedy: '请由另一位有权人员在安全事件页面作出决定。',
  },
  'nothing-to-contain': {
    message: '没有需要控制的访问。',
    remedy: '可能已经控制，或没有副本指向调阅。',
  },
  'own-request': { message: '不能由提请人自己确认。', remedy: '请由另一位有权人员作出决定。' },
  'own-result': { message: '不能对涉及本人的结果作出决定。', remedy: '请由另一位有权人员决定。' },
  'case-closed': { message: '该安全事件已结案。', remedy: '请另立安全事件。' },
  'unknown-format': {
    message: '不是可识别的图片、视频或 DICOM 文件。',
    remedy: '请使用 JPEG、PNG、WebP、HEIC、BMP、GIF、TIFF、DICOM、MP4、MOV、WebM、MKV 或 AVI。',
  },
  'too-many-attempts': { message: '登录失败次数过多，已暂停登录。', remedy: '请几分钟后再试。' },
  unauthenticated: {
    message: '用户名或密码错误，或登录链接已失效。',
    remedy: '请重试；登录链接只能使用一次，必要时请联系 PACS 管理员。',
  },
  'role-not-allowed': {
    message: '您的角色无权查看此页面。',
    remedy: '如确有需要，请联系个人信息保护负责人。',
  },
  denied: { message: '访问策略不允许此操作。', remedy: '请核对检查申请单，或联系申请科室。' },
  'unknown-recipient': {
    message: '此账号不是影像接收方。',
    remedy: '请联系 PACS 管理员登记。',
  },
  'not-found': { message: '没有找到该对象。', remedy: '请核对编号，或返回列表重新选择。' },
  unavailable: { message: '服务暂时不可用。', remedy: '请稍后重试；若持续出现，请联系 PACS 管理员。' },
  storage: {
    message: '存储写入失败，为保证存证完整已停止送出影像。',
    remedy: '请联系 PACS 管理员检查磁盘空间。',
  },
  integrity: {
    message: '完整性校验未通过，已停止送出影像。',
    remedy: '请勿继续使用该影像，并联系信息安全团队。',
  },
  'bad-input': { message: '无法识别提交的内容。', remedy: '请检查文件后重试。' },
  'invalid-request': { message: '请求不完整或格式不正确。', remedy: '请刷新页面后重试。' },
  undecodable: {
    message: '影像数据无法解码。',
    remedy: '请重试；若仍失败，请从设备重新发送该胸片。',
  },
  'not-dicom': {
    message: '不是 DICOM Part 10 文件。',
    remedy: '请从设备或 PACS 以 DICOM 格式导出后重新发送。',
  },
  malformed: {
    message: 'DICOM 文件被截断或格式损坏，无法解析。',
    remedy: '请从来源重新发送，并检查传输是否出错。',
  },
  truncated: { message: '像素数据不完整。', remedy: '文件被截断，请从设备重新发送。' },
  incomplete: { message: '对象缺少必要的标识属性。', remedy: '请发送完整的 SOP 实例。' },
  'no-pixel-data': {
    message: '对象不含像素数据，没有可以加密遮盖的胸片。',
    remedy: '请只发送影像对象；如确认无误可人工放行。',
  },
  'unknown-transfer-syntax': {
    message: '传输语法未知。',
    remedy: '请让设备使用标准传输语法，例如 Explicit VR Little Endian。',
  },
  'too-large': {
    message: '对象超过允许的大小。',
    remedy: '请核对行数和列数；确属正常影像时请调高上限。',
  },
  nesting: { message: '序列嵌套层数过深。', remedy: '请人工检查该对象；确属正常时请调高上限。' },
  unreadable: { message: '对象无法读取。', remedy: '请人工检查该对象，放行或删除。' },
  'uid-conflict': {
    message: '已存在 SOP 实例 UID 相同而内容不同的对象。',
    remedy: '请核对来源，确认哪一份正确后再处理。',
  },
  'not-sealed': { message: '对象没有正确加密遮盖。', remedy: '请在前置网关重新处理原件。' },
  'not-deidentified': { message: '对象没有去标识化。', remedy: '请经由前置网关发送。' },
  'archive-refused': {
    message: '归档拒绝接收该对象。',
    remedy: '请查看原因，处理后重新放行。',
  },
  'pipeline-failure': {
    message: '前置网关处理该对象时出错。',
    remedy: '请保留该对象，并把日志中的错误信息报告给管理员。',
  },
  'burned-in-text': {
    message: '遮盖后影像上仍有烧录文字。',
    remedy: '请在设备上遮盖该处后重新发送，或人工核查后放行。',
  },
  'encapsulated-document': {
    message: '对象内含无法清理的文档。',
    remedy: '请只发送影像对象。',
  },
  'raw-data': { message: '原始数据以厂商私有格式保存身份信息。', remedy: '请只发送影像对象。' },
  'media-directory': {
    message: 'DICOMDIR 按姓名列出病人。',
    remedy: '请逐个发送其中的影像，不要发送目录。',
  },
  video: { message: '视频中的文字无法逐帧查找。', remedy: '请只发送胸片影像。' },
  dimensions: { message: '影像尺寸无法读取或不可能。', remedy: '请从来源重新发送完整对象。' },
  'embedded-overlay': {
    message: '像素数据中嵌有无法清除的叠加层。',
    remedy: '请人工检查该对象。',
  },
  pixels: { message: '压缩帧与头信息不符。', remedy: '请从来源重新发送完整对象。' },
  'no-object': { message: '文件中没有 DICOM 对象。', remedy: '请从来源重新发送。' },
  unwritable: {
    message: '对象无法重新写出：有属性值不符合其 VR。',
    remedy: '请人工检查该对象。',
  },
};
