// What TabPy's clients send to deploy, override, query and remove, one row for each change of their requests from 0.2
// to 2.16. Written after the contract, the REST documentation and public reports, since the packages can't be had where
// the tests run.

/** The words in a path or body that the test replaces. */
export const places = {
  /** The folder that the server names as its upload destination. */
  destination: "{destination}",
  /** The server's URL. */
  url: "{url}",
} as const;

export interface Exchange {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  /** Put into the upload destination before the request: the factor of the function, and its folder. */
  readonly archive?: readonly [factor: number, folder: string];
  readonly status: number;
  /** What the answer must contain; `{}` and `null` are the whole answer. */
  readonly answer?: unknown;
  /** The request is repeated until the answer contains `answer`, as clients wait for a load. */
  readonly isPolled?: boolean;
}

export interface OldClient {
  readonly name: string;
  /** The package that its archives name. */
  readonly package: "tabpy_client" | "tabpy_tools" | "tabpy.tabpy_tools";
  readonly hasCredentials: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly exchanges: readonly Exchange[];
}

const json = { "Content-Type": "application/json", Accept: "*/*", "Accept-Encoding": "gzip, deflate" };
const basic = { Authorization: `Basic ${btoa("alice:s3cret")}` };

/** The members that each deployment sends beside name, version and folder. */
type Members = Readonly<Record<string, unknown>>;

const members02: Members = {
  type: "model",
  description: "scales x",
  dependencies: [],
  methods: [{ method: "query" }],
  required_files: [],
  required_packages: [],
  schema: null,
};
const members03: Members = {
  ...members02,
  docstring: "-- no docstring found in query function --",
  target: "",
};
const { required_files: _, required_packages: __, ...members08 } = members03;
const members23: Members = { ...members08, target: null };
const members212: Members = { ...members23, is_public: false };

function deployment(name: string, version: number, members: Members): Members {
  const src_path = `${places.destination}/endpoints/${name}/${version}`;
  return { ...members, name, version, src_path };
}

/** Ask for the destination, put the archive there, deploy it, and wait for its load. */
function deploys(name: string, version: number, factor: number, members: Members): Exchange[] {
  const body = deployment(name, version, members);
  const isNew = version === 1;
  return [
    {
      method: "GET",
      path: "/endpoints",
      status: 200,
      answer: isNew ? {} : { [name]: { version: version - 1 } },
    },
    { method: "GET", path: "/configurations/endpoint_upload_destination", status: 200 },
    {
      method: isNew ? "POST" : "PUT",
      path: isNew ? "/endpoints" : `/endpoints/${encodeURIComponent(name)}`,
      archive: [factor, `endpoints/${name}/${version}`],
      body,
      status: isNew ? 201 : 200,
      answer: { [name]: { version, type: "model", description: members.description } },
    },
    {
      method: "GET",
      path: "/status",
      status: 200,
      answer: { [name]: { version, type: "model", status: "LoadSuccessful", last_error: null } },
      isPolled: true,
    },
  ];
}

function queries(name: string, version: number, factor: number): Exchange[] {
  const answer = { response: [factor, 2 * factor], version, model: name };
  const path = `/query/${encodeURIComponent(name)}`;
  return [
    { method: "POST", path, body: { data: [[1, 2]] }, status: 200, answer },
    { method: "POST", path, body: { data: { x: [1, 2] } }, status: 200, answer },
  ];
}

/** Deploys three times, queries each version, and removes it. */
function life(name: string, members: Members, overrides: Members = {}): Exchange[] {
  const path = `/endpoints/${encodeURIComponent(name)}`;
  return [
    ...deploys(name, 1, 10, members),
    ...queries(name, 1, 10),
    ...deploys(name, 2, 20, { ...members, ...overrides }),
    ...queries(name, 2, 20),
    ...deploys(name, 3, 30, { ...members, ...overrides, description: "scales x by 30" }),
    ...queries(name, 3, 30),
    { method: "GET", path, status: 200, answer: { version: 3, description: "scales x by 30" } },
    { method: "DELETE", path, status: 204 },
    { method: "GET", path: "/endpoints", status: 200, answer: {} },
    {
      method: "POST",
      path: `/query/${encodeURIComponent(name)}`,
      body: { data: [[1]] },
      status: 404,
      answer: { message: "UnknownURI", info: `Endpoint '${name}' does not exist` },
    },
  ];
}

/** A second name, which TabPy's client describes by its dependency alone. */
const alias: readonly Exchange[] = [
  ...deploys("scale", 1, 10, members08),
  {
    method: "POST",
    path: "/endpoints",
    body: {
      name: "times",
      type: "alias",
      description: "Alias for scale",
      dependencies: ["scale"],
      version: 1,
    },
    status: 201,
    answer: { times: { type: "alias", target: "scale" } },
  },
  {
    method: "POST",
    path: "/query/times",
    body: { data: [[1, 2]] },
    status: 200,
    answer: { response: [10, 20], model: "scale" },
  },
  { method: "DELETE", path: "/endpoints/scale", status: 400 },
  { method: "DELETE", path: "/endpoints/times", status: 204 },
  { method: "DELETE", path: "/endpoints/scale", status: 204 },
];

/** The description is changed without a new version; since 2.12 the client says so. */
function changesInfo(): Exchange[] {
  const change = {
    ...deployment("scale", 1, members212),
    description: "other words",
    should_update_version: false,
  };
  return [
    ...deploys("scale", 1, 10, members212),
    {
      method: "PUT",
      path: "/endpoints/scale",
      body: change,
      status: 200,
      answer: { scale: { version: 1, description: "other words" } },
    },
    ...queries("scale", 1, 10),
    { method: "DELETE", path: "/endpoints/scale", status: 204 },
  ];
}

/** Since 2.13, `remote_server=True` lets the server deploy to itself: a script has the function as source text. */
const remote: readonly Exchange[] = [1, 2].flatMap((version) => [
  {
    method: "POST",
    path: "/evaluate",
    body: {
      data: {},
      script: [
        "from tabpy.tabpy_tools.client import Client",
        `client = Client('${places.url}/')`,
        "client.set_credentials('alice', 's3cret')",
        "def spread(x):",
        `    "It's ${version}, with an apostrophe and 100 %"`,
        `    return [${version} * v for v in x]`,
        "",
        `client.deploy('spread', spread, 'Spread of x', override=${version === 1 ? "False" : "True"}, is_public=False, schema=None)`,
      ].join("\n"),
    },
    status: 200,
    answer: null,
  },
  {
    method: "POST",
    path: "/query/spread",
    body: { data: [[3, 5]] },
    status: 200,
    answer: { response: [3 * version, 5 * version], version },
  },
  {
    method: "GET",
    path: "/endpoints/spread",
    status: 200,
    answer: { docstring: `It's ${version}, with an apostrophe and 100 %`, description: "Spread of x" },
  },
]);

export const oldClients: readonly OldClient[] = [
  {
    name: "tabpy_client 0.2",
    package: "tabpy_client",
    hasCredentials: false,
    headers: { ...json, "User-Agent": "python-requests/2.13.0" },
    exchanges: [
      ...life("predict_goals", members02),
      ...life("with defaults", { ...members02, schema: { input: {} } }),
    ],
  },
  {
    name: "tabpy_tools 0.3",
    package: "tabpy_tools",
    hasCredentials: false,
    headers: { ...json, "User-Agent": "python-requests/2.21.0" },
    exchanges: [...life("scale", members03), ...life("two words", members03)],
  },
  {
    name: "tabpy_tools 0.4 with credentials",
    package: "tabpy_tools",
    hasCredentials: true,
    headers: { ...json, ...basic },
    exchanges: life("scale", members03),
  },
  {
    name: "tabpy 0.8 to 2.2",
    package: "tabpy.tabpy_tools",
    hasCredentials: true,
    headers: { ...json, ...basic },
    exchanges: [...life("with-hyphen_1", members08), ...alias],
  },
  {
    name: "tabpy 2.3 to 2.11, whose models have null for a target,",
    package: "tabpy.tabpy_tools",
    hasCredentials: true,
    headers: { ...json, ...basic },
    exchanges: life("scale", members23),
  },
  {
    name: "tabpy 2.12 to 2.16, which send is_public and should_update_version,",
    package: "tabpy.tabpy_tools",
    hasCredentials: true,
    headers: { ...json, ...basic },
    exchanges: [...life("scale", members212, { should_update_version: true }), ...changesInfo()],
  },
  {
    name: "tabpy 2.13 with remote_server",
    package: "tabpy.tabpy_tools",
    hasCredentials: true,
    headers: { ...json, ...basic },
    exchanges: [...remote, { method: "DELETE", path: "/endpoints/spread", status: 204 }],
  },
];
